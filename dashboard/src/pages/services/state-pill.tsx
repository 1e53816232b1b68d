import { STATE_TEXT, STATE_TONE } from '@/data/names'
import { HealthMark, Pill } from '@/design/parts'
import type { ServiceState } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'

export function StatePill({ state }: { state: ServiceState }) {
  const t = useText()
  const tone = STATE_TONE[state]
  return (
    <Pill tone={tone}>
      <HealthMark tone={tone} size={12} />
      {t(STATE_TEXT[state])}
    </Pill>
  )
}
