import { useMayControl } from '@/api/session'
import { ACTIONS, perform, RESTART_DEPENDANTS, runCommand } from '@/data/actions'
import { Button } from '@/design/parts'
import type { ServiceStatus } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'

/** The buttons for what can be done to a service now. */
export function ServiceActions({
  service,
  compact,
}: {
  service: ServiceStatus
  compact?: boolean
}) {
  const t = useText()
  const may = useMayControl()
  const title = (words: string) => (may ? words : t('action.notAllowed'))
  const actions = ACTIONS.filter(
    (action) => action.fits(service) && !(compact && action === RESTART_DEPENDANTS),
  )
  return (
    <>
      {actions.map((action) => (
        <Button
          key={action.title}
          look={compact ? 'quiet' : 'plain'}
          title={title(t(action.title))}
          disabled={!may}
          aria-label={`${t(action.title)} ${service.name}`}
          onClick={() => void perform(action, service.name)}
        >
          <action.icon size={14} aria-hidden />
          {!compact && t(action.title)}
        </Button>
      ))}
      {!compact &&
        service.commands.map((command) => (
          <Button
            key={command}
            look="quiet"
            disabled={!may}
            onClick={() => void runCommand(service.name, command)}
          >
            {t('action.run', { command })}
          </Button>
        ))}
    </>
  )
}
