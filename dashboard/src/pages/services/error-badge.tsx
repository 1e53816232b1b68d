/** How many errors a service has logged; leads to them. */
import { useMemo } from 'react'
import { Link } from 'wouter'
import { logger } from '@/api/client'
import { useAnswer } from '@/data/poll'
import { LogLevel } from '@/gen/runtime/v1/logger_pb'
import { useText } from '@/i18n/text'

export type ErrorCounts = ReadonlyMap<string, number>

/** Errors that each service has logged in the last hour. */
export function useErrorCounts(): ErrorCounts {
  const { value } = useAnswer(
    (signal) =>
      logger.getLogHistogram(
        {
          query: { minLevel: LogLevel.ERROR, startTime: BigInt(Date.now() - 3_600_000) },
          buckets: 1,
        },
        { signal },
      ),
    [],
    10_000,
  )
  return useMemo(() => {
    const counts = new Map<string, number>()
    for (const [name, bucket] of Object.entries(value?.services ?? {})) {
      const sum = bucket.counts.slice(LogLevel.ERROR).reduce((all, count) => all + Number(count), 0)
      if (sum) counts.set(name, sum)
    }
    return counts
  }, [value])
}

export function ErrorBadge({ name, count }: { name: string; count: number }) {
  const t = useText()
  if (!count) return null
  return (
    <Link
      href={`/logs?filter=${encodeURIComponent(`service:${name} level>=error`)}`}
      title={t('services.errors', { count })}
      aria-label={t('services.errors', { count })}
      className="rounded-full bg-unhealthy/15 px-1.5 text-[11px] font-semibold text-unhealthy-text hover:bg-unhealthy/25"
    >
      {count > 999 ? '999+' : count}
    </Link>
  )
}
