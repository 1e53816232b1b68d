/** How a service was: a bar for each minute, hour or day. */
import { memo, type MouseEvent } from 'react'
import { dateTime, duration } from '@/data/format'
import { HEALTH_TONE, TONE_COLOUR, TONE_TEXT, type Tone } from '@/data/names'
import { moveByArrows } from '@/design/roving'
import { HealthState, type HealthSummary } from '@/gen/runtime/v1/health_pb'
import { useText } from '@/i18n/text'

/** Bad moments show even in a long stretch: the fill is the worst state in it. */
export function HealthBars({
  summaries,
  height = 30,
  onPick,
}: {
  summaries: readonly HealthSummary[]
  height?: number
  onPick?: (summary: HealthSummary) => void
}) {
  const pick = ({ target }: MouseEvent) => {
    const start = target instanceof HTMLElement ? target.dataset['start'] : undefined
    const summary = summaries.find((each) => String(each.startTime) === start)
    if (summary) onPick?.(summary)
  }
  return (
    <div
      className="flex min-w-0 items-end gap-px"
      style={{ height }}
      onClick={pick}
      onKeyDown={moveByArrows}
    >
      {summaries.map((summary, at) => {
        const known = total(summary) > 0
        return (
          <Bar
            key={String(summary.startTime)}
            start={Number(summary.startTime)}
            tone={HEALTH_TONE[known ? summary.worstState : HealthState.HEALTH_UNKNOWN]}
            known={known}
            unhealthy={Number(summary.unhealthyMs)}
            reachable={onPick !== undefined && at === summaries.length - 1}
          />
        )
      })}
    </div>
  )
}

interface BarProps {
  start: number
  tone: Tone
  known: boolean
  unhealthy: number
  reachable: boolean
}

/** There may be tens of thousands on a page; each is drawn when it differs. */
const Bar = memo(function Bar({ start, tone, known, unhealthy, reachable }: BarProps) {
  const t = useText()
  const words = `${dateTime(start)}: ${t(TONE_TEXT[tone])}${
    unhealthy > 0 ? ` (${duration(unhealthy)})` : ''
  }`
  return (
    <button
      type="button"
      data-start={start}
      tabIndex={reachable ? 0 : -1}
      title={words}
      aria-label={words}
      className="h-full min-w-0 flex-1 rounded-[2px] transition-transform hover:scale-y-110"
      style={{
        background: known ? TONE_COLOUR[tone] : 'var(--line)',
        opacity: known ? 1 : 0.8,
      }}
    />
  )
})

const total = (summary: HealthSummary) =>
  summary.healthyMs + summary.degradedMs + summary.unhealthyMs + summary.startingMs
