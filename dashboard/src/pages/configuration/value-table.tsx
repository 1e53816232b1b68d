/** Values of a configuration, each with where it comes from. */
import { useQuery } from '@/data/query'
import { fits } from '@/design/page'
import { ConfigurationSource, type ConfigurationValue } from '@/gen/runtime/v1/configuration_pb'
import { useText } from '@/i18n/text'

export function ValueTable({
  values,
  under = '',
}: {
  values: readonly ConfigurationValue[]
  /** What all paths begin with, and need not be said. */
  under?: string
}) {
  const t = useText()
  const query = useQuery()
  const defaults = query.get('defaults') === 'on'
  const find = query.get('find')
  const shown = values.filter(
    (value) =>
      (defaults || value.source !== ConfigurationSource.DEFAULT) &&
      fits(find, value.path, value.value, value.file),
  )
  return (
    <div className="flex flex-col gap-2">
      <label className="flex items-center gap-2 self-start text-[13px] text-muted">
        <input
          type="checkbox"
          checked={defaults}
          onChange={(event) => query.set({ defaults: event.target.checked ? 'on' : '' })}
        />
        {t('configuration.defaults')}
      </label>
      <div className="rounded-card border border-line bg-surface shadow-card">
        <table className="w-full text-[13px] max-md:block max-md:*:block">
          <thead className="border-b border-line text-left text-xs text-faint max-md:hidden!">
            <tr className="*:px-3 *:py-2 *:font-medium">
              <th className="w-1/3">{t('services.path')}</th>
              <th>{t('services.value')}</th>
              <th>{t('services.origin')}</th>
            </tr>
          </thead>
          <tbody>
            {shown.map((value) => (
              <tr
                key={value.path}
                className="border-b border-line align-top last:border-b-0 *:px-3 *:py-1.5 max-md:block max-md:py-1.5 max-md:*:block max-md:*:py-0.5"
              >
                <td className="font-mono text-xs break-all">
                  <Path
                    path={
                      value.path.startsWith(under) ? value.path.slice(under.length) : value.path
                    }
                  />
                </td>
                <td className="font-mono text-xs break-all">
                  {value.value}
                  {value.written && <span className="block text-faint">{value.written}</span>}
                </td>
                <td className="text-xs whitespace-nowrap text-muted" title={value.file}>
                  {value.file
                    ? `${value.file.split('/').pop()}:${value.line}:${value.column}`
                    : ConfigurationSource[value.source]?.toLowerCase()}
                </td>
              </tr>
            ))}
          </tbody>
        </table>
        {shown.length === 0 && <p className="p-4 text-muted">{t('configuration.noneFits')}</p>}
      </div>
    </div>
  )
}

/** The last part of a path is what one looks for. */
function Path({ path }: { path: string }) {
  const end = path.lastIndexOf('.') + 1
  return (
    <>
      <span className="text-faint">{path.slice(0, end)}</span>
      {path.slice(end)}
    </>
  )
}
