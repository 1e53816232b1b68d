/** The configuration in force: its values, and its files, to be edited, checked and applied. */
import { lazy, Suspense } from 'react'
import { orchestrator } from '@/api/client'
import { useMayControl } from '@/api/session'
import { attempt } from '@/data/actions'
import { useAnswer } from '@/data/poll'
import { useQuery } from '@/data/query'
import { useServices } from '@/data/services'
import { PageBody, PageHead } from '@/design/page'
import { Button, Command, Empty, Tabs } from '@/design/parts'
import { useText } from '@/i18n/text'
import { ValueTable } from '@/pages/configuration/value-table'

const Editor = lazy(() => import('@/pages/configuration/editor'))

export default function ConfigurationPage() {
  const t = useText()
  const query = useQuery()
  const tab = query.get('tab') === 'edit' ? 'edit' : 'values'
  const { value, error, again } = useAnswer(
    (signal) => orchestrator.getConfiguration({ includeText: tab === 'edit' }, { signal }),
    [tab],
  )
  const may = useMayControl()
  const apply = async () => {
    const { revision } = value!
    const action = t('configuration.applyFiles')
    if (await attempt(action, '', () => orchestrator.applyConfiguration({ revision }))) again()
  }
  const idle = useServices(({ ready, list }) => ready && list.length === 0)
  if (value ? !value.files.length : error && idle)
    return (
      <Empty title={t('configuration.empty')}>
        <p>{t('configuration.emptyWhat')}</p>
        <Command>muster init</Command>
      </Empty>
    )
  if (error && !value) return <Empty title={t('common.failed', { reason: error })} />
  if (!value) return <p className="p-6 text-muted">{t('common.loading')}</p>
  return (
    <PageBody full>
      <PageHead
        title={t('configuration.title')}
        filter={tab === 'values' ? t('configuration.filter') : undefined}
      >
        <span className="px-1 text-xs text-faint">
          {t('configuration.revision', { revision: String(value.revision) })}
        </span>
        <Tabs
          label={t('configuration.title')}
          value={tab}
          onChange={(key) => query.set({ tab: key === 'values' ? '' : key })}
          options={[
            ['values', t('configuration.values')],
            ['edit', t('configuration.edit')],
          ]}
        />
      </PageHead>
      {value.outdated && (
        <p className="flex flex-wrap items-center gap-x-4 gap-y-2 rounded-control border border-degraded/40 bg-degraded/10 px-3 py-2 text-[13px]">
          <span className="flex-1">{t('configuration.outdated')}</span>
          <Button disabled={!may} onClick={() => void apply()}>
            {t('configuration.apply')}
          </Button>
        </p>
      )}
      {tab === 'values' && <ValueTable values={value.values} />}
      {tab === 'edit' && value.files.some((file) => file.text) && (
        <Suspense fallback={<p className="text-muted">{t('common.loading')}</p>}>
          <Editor configuration={value} applied={again} />
        </Suspense>
      )}
    </PageBody>
  )
}
