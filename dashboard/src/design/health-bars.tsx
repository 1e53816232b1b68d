/** How a service was: a bar for each minute, hour or day. */
import { dateTime, duration } from '@/data/format'
import { HEALTH_TONE, TONE_COLOUR, TONE_TEXT } from '@/data/names'
import { moveByArrows } from '@/design/roving'
import { HealthState, type HealthSummary } from '@/gen/runtime/v1/health_pb'
import { useText } from '@/i18n/text'

/** Bad moments show even in a long stretch: the fill is the worst state, the height its share. */
export function HealthBars({
  summaries,
  height = 30,
  onPick,
}: {
  summaries: readonly HealthSummary[]
  height?: number
  onPick?: (summary: HealthSummary) => void
}) {
  const t = useText()
  return (
    <div className="flex min-w-0 items-end gap-px" style={{ height }} onKeyDown={moveByArrows}>
      {summaries.map((summary, at) => {
        const known = total(summary) > 0
        const worst = known ? summary.worstState : HealthState.HEALTH_UNKNOWN
        const tone = HEALTH_TONE[worst]
        const words = `${dateTime(summary.startTime)}: ${t(TONE_TEXT[tone])}${
          summary.unhealthyMs > 0 ? ` (${duration(Number(summary.unhealthyMs))})` : ''
        }`
        return (
          <button
            key={String(summary.startTime)}
            type="button"
            tabIndex={onPick && at === summaries.length - 1 ? 0 : -1}
            title={words}
            aria-label={words}
            onClick={() => onPick?.(summary)}
            className="h-full min-w-0 flex-1 rounded-[2px] transition-transform hover:scale-y-110"
            style={{
              background: known ? TONE_COLOUR[tone] : 'var(--line)',
              opacity: known ? 1 : 0.8,
            }}
          />
        )
      })}
    </div>
  )
}

const total = (summary: HealthSummary) =>
  summary.healthyMs + summary.degradedMs + summary.unhealthyMs + summary.startingMs
