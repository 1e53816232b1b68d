/** The small parts that every page is built from. */
import type { ButtonHTMLAttributes, ReactNode } from 'react'
import { LANGUAGE, TONE_COLOUR, TONE_TEXT, type Tone } from '@/data/names'
import { serviceColour } from '@/design/service-colour'
import type { ServiceLanguage } from '@/gen/runtime/v1/topology_pb'
import { useText } from '@/i18n/text'

export function cx(...names: (string | false | undefined)[]): string {
  return names.filter(Boolean).join(' ')
}

interface ButtonProps extends ButtonHTMLAttributes<HTMLButtonElement> {
  look?: 'plain' | 'solid' | 'quiet' | 'danger'
  /** Pressed or not, for buttons that switch. */
  on?: boolean
}

export function Button({ look = 'plain', on, className, ...rest }: ButtonProps) {
  return (
    <button
      type="button"
      aria-pressed={on}
      className={cx(
        'inline-flex h-8 shrink-0 items-center justify-center gap-1.5 rounded-control px-2.5 text-[13px] font-medium whitespace-nowrap transition-colors duration-150 disabled:opacity-45',
        look === 'plain' && 'border border-line bg-surface hover:border-line-strong',
        look === 'solid' && 'bg-accent text-on-accent hover:opacity-90',
        look === 'quiet' && 'text-muted hover:bg-sunken hover:text-text',
        look === 'danger' &&
          'border border-line bg-surface text-unhealthy-text hover:border-unhealthy',
        on && 'border-accent! bg-accent-soft! text-accent!',
        className,
      )}
      {...rest}
    />
  )
}

/** Health by shape as well as colour. */
export function HealthMark({ tone, size = 14 }: { tone: Tone; size?: number }) {
  const t = useText()
  return (
    <svg
      width={size}
      height={size}
      viewBox="0 0 16 16"
      role="img"
      aria-label={t(TONE_TEXT[tone])}
      className={cx('shrink-0', tone === 'starting' && 'animate-[turn_1.4s_linear_infinite]')}
    >
      <MarkShape tone={tone} />
    </svg>
  )
}

function MarkShape({ tone }: { tone: Tone }) {
  const colour = TONE_COLOUR[tone]
  switch (tone) {
    case 'healthy':
      return (
        <>
          <circle cx="8" cy="8" r="7" fill={colour} />
          <path d="M4.8 8.3l2.2 2.2 4.2-4.6" fill="none" stroke="#fff" strokeWidth="1.8" />
        </>
      )
    case 'degraded':
      return (
        <>
          <path d="M8 1.2 15.4 14.4H.6z" fill={colour} strokeLinejoin="round" />
          <path d="M8 6v4" stroke="#fff" strokeWidth="1.8" />
          <circle cx="8" cy="12.2" r="1" fill="#fff" />
        </>
      )
    case 'unhealthy':
      return (
        <>
          <path d="M5 .8h6L15.2 5v6L11 15.2H5L.8 11V5z" fill={colour} />
          <path d="M5.5 5.5l5 5m0-5l-5 5" stroke="#fff" strokeWidth="1.8" />
        </>
      )
    case 'starting':
      return (
        <circle
          cx="8"
          cy="8"
          r="6"
          fill="none"
          stroke={colour}
          strokeWidth="2.6"
          strokeDasharray="24 14"
        />
      )
    default:
      return (
        <circle
          cx="8"
          cy="8"
          r="6"
          fill="none"
          stroke={colour}
          strokeWidth="2"
          strokeDasharray="3 2.4"
        />
      )
  }
}

export function Pill({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span
      className={cx(
        'inline-flex items-center gap-1.5 rounded-full border px-2 py-0.5 text-xs font-medium whitespace-nowrap',
        tone === 'healthy' && 'border-healthy/30 bg-healthy/10 text-healthy-text',
        tone === 'degraded' && 'border-degraded/30 bg-degraded/10 text-degraded-text',
        tone === 'unhealthy' && 'border-unhealthy/30 bg-unhealthy/10 text-unhealthy-text',
        tone === 'starting' && 'border-starting/30 bg-starting/10 text-starting-text',
        tone === 'unknown' && 'border-line bg-sunken text-muted',
      )}
    >
      {children}
    </span>
  )
}

export function LanguageIcon({
  language,
  size = 22,
}: {
  language: ServiceLanguage
  size?: number
}) {
  const { name, mark, colour } = LANGUAGE[language]
  if (!name) return null
  return (
    <span
      role="img"
      aria-label={name}
      title={name}
      className="inline-flex shrink-0 items-center justify-center rounded-[5px] font-bold tracking-tight text-white"
      style={{
        width: size,
        height: size,
        fontSize: size * (mark.length > 2 ? 0.36 : 0.46),
        background: colour,
      }}
    >
      {mark}
    </span>
  )
}

/** A service's own colour, as a small block before its name. */
export function ServiceSwatch({ name }: { name: string }) {
  return (
    <span
      aria-hidden
      className="inline-block h-3 w-1 shrink-0 rounded-full"
      style={{ background: serviceColour(name) }}
    />
  )
}

/** Says why there is nothing to see, and what to do. */
export function Empty({ title, children }: { title: string; children?: ReactNode }) {
  return (
    <div className="flex h-full min-h-56 flex-col items-center justify-center gap-2 p-8 text-center">
      <svg width="56" height="40" viewBox="0 0 56 40" aria-hidden className="text-line-strong">
        <g fill="none" stroke="currentColor" strokeWidth="1.5" strokeDasharray="3 3">
          <rect x="1" y="12" width="16" height="12" rx="3" />
          <rect x="39" y="2" width="16" height="12" rx="3" />
          <rect x="39" y="26" width="16" height="12" rx="3" />
          <path d="M17 18C28 18 28 8 39 8M17 18c11 0 11 14 22 14" />
        </g>
      </svg>
      <h2 className="text-base font-semibold">{title}</h2>
      <div className="max-w-md text-muted">{children}</div>
    </div>
  )
}

/** Says that the runtime does not let this person look, and how one is let in. */
export function Refused({ reason }: { reason: string }) {
  const t = useText()
  return (
    <Empty title={t('common.refused', { reason })}>
      <p>{t('common.refusedWhat')}</p>
      <Command>muster link</Command>
    </Empty>
  )
}

export function Command({ children }: { children: string }) {
  return (
    <code className="mt-2 inline-block rounded-control border border-line bg-sunken px-2 py-1 font-mono text-[13px] text-text">
      {children}
    </code>
  )
}

export function Field({ label, children }: { label: string; children: ReactNode }) {
  return (
    <div className="flex min-w-0 flex-col gap-0.5">
      <dt className="text-xs text-faint">{label}</dt>
      <dd className="truncate">{children}</dd>
    </div>
  )
}

export function Section({
  title,
  side,
  children,
}: {
  title: string
  side?: ReactNode
  children: ReactNode
}) {
  return (
    <section className="border-t border-line px-4 py-3 first:border-t-0">
      <div className="mb-2 flex items-center justify-between gap-2">
        <h3 className="text-xs font-semibold tracking-wide text-muted uppercase">{title}</h3>
        {side}
      </div>
      {children}
    </section>
  )
}

export function Tabs<Key extends string>({
  label,
  value,
  options,
  onChange,
}: {
  label: string
  value: Key
  options: readonly (readonly [Key, string])[]
  onChange: (key: Key) => void
}) {
  return (
    <div
      role="group"
      aria-label={label}
      className="inline-flex self-start rounded-control border border-line bg-sunken p-0.5"
    >
      {options.map(([key, name]) => (
        <button
          key={key}
          type="button"
          aria-pressed={key === value}
          onClick={() => onChange(key)}
          className={cx(
            'h-7 rounded-[5px] px-2.5 text-[13px] font-medium whitespace-nowrap transition-colors',
            key === value ? 'bg-surface text-text shadow-card' : 'text-muted hover:text-text',
          )}
        >
          {name}
        </button>
      ))}
    </div>
  )
}

export interface Spark {
  values: readonly number[]
  colour: string
  /** The scale goes up to this at least, so that what hardly moves looks calm. */
  least?: number
  filled?: boolean
}

/** The latest points of a spark line. */
const SPARK_POINTS = 40

/** Lines without axes, each on a scale of its own that begins at zero. */
export function SparkLine({
  lines,
  width = 64,
  height = 18,
}: {
  lines: readonly Spark[]
  width?: number
  height?: number
}) {
  return (
    <svg width={width} height={height} aria-hidden className="shrink-0">
      {lines.map(({ values, colour, least = 0, filled }) => {
        const path = sparkPath(values.slice(-SPARK_POINTS), least, width, height)
        return (
          path && (
            <g key={colour} fill="none" stroke={colour} strokeLinejoin="round">
              {filled && (
                <path d={`${path}V${height}H0z`} fill={colour} fillOpacity={0.14} stroke="none" />
              )}
              <path d={path} strokeWidth="1.25" />
            </g>
          )
        )
      })}
    </svg>
  )
}

function sparkPath(values: readonly number[], least: number, width: number, height: number) {
  if (values.length < 2) return ''
  const top = Math.max(...values, least, 1e-9) * 1.1
  const step = width / (values.length - 1)
  return values
    .map(
      (value, at) =>
        `${at ? 'L' : 'M'}${(at * step).toFixed(1)} ${(height - 1 - (value / top) * (height - 2)).toFixed(1)}`,
    )
    .join('')
}
