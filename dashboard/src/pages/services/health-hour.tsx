/** How a service was in the last hour. */
import { health } from '@/api/client'
import { useAnswer } from '@/data/poll'
import { HealthBars } from '@/design/health-bars'
import { Section } from '@/design/parts'
import { useText } from '@/i18n/text'

const HOUR = 3_600_000
const EVERY = 15_000

export function HealthHour({ name, height }: { name: string; height?: number }) {
  const t = useText()
  const { value } = useAnswer(
    (signal) =>
      health.getHealthHistory(
        { serviceName: name, startTime: BigInt(Date.now() - HOUR) },
        { signal },
      ),
    [name],
    EVERY,
  )
  const summaries = value?.histories[0]?.summaries
  if (!summaries?.length) return null
  return (
    <Section title={t('panel.health')}>
      <HealthBars summaries={summaries} height={height} />
    </Section>
  )
}
