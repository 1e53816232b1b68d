/** Values of a configuration, each with where it comes from. */
import { useState } from 'react'
import { ConfigurationSource, type ConfigurationValue } from '@/gen/runtime/v1/configuration_pb'
import { useText } from '@/i18n/text'

export function ValueTable({ values }: { values: readonly ConfigurationValue[] }) {
  const t = useText()
  const [defaults, setDefaults] = useState(false)
  const shown = values.filter((value) => defaults || value.source !== ConfigurationSource.DEFAULT)
  return (
    <div className="flex flex-col gap-2">
      <label className="flex items-center gap-2 text-[13px] text-muted">
        <input
          type="checkbox"
          checked={defaults}
          onChange={(event) => setDefaults(event.target.checked)}
        />
        {t('configuration.defaults')}
      </label>
      <div className="overflow-x-auto rounded-card border border-line bg-surface shadow-card">
        <table className="w-full min-w-[36rem] text-[13px]">
          <thead className="border-b border-line text-left text-xs text-faint">
            <tr className="*:px-3 *:py-2 *:font-medium">
              <th>{t('services.path')}</th>
              <th>{t('services.value')}</th>
              <th>{t('services.origin')}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((value) => (
              <tr
                key={value.path}
                className="border-b border-line align-top last:border-b-0 *:px-3 *:py-1.5"
              >
                <td className="font-mono text-xs">{value.path}</td>
                <td className="font-mono text-xs break-all">
                  {value.value}
                  {value.written && <span className="block text-faint">{value.written}</span>}
                </td>
                <td className="text-xs whitespace-nowrap text-muted">
                  {value.file
                    ? `${value.file.split('/').pop()}:${value.line}:${value.column}`
                    : ConfigurationSource[value.source]?.toLowerCase()}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
      </div>
    </div>
  )
}
