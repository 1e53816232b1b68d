import { useEffect, useState } from 'react'
import { duration } from '@/data/format'
import { useLink } from '@/data/link'
import { useText } from '@/i18n/text'

/** Shorter breaks are not worth a word. */
const PATIENCE = 1500

/** Says that the runtime is away, and since when; what is on the page stays. */
export function LinkBanner() {
  const t = useText()
  const { up, since } = useLink()
  const [now, setNow] = useState(Date.now())
  useEffect(() => {
    if (up !== false) return
    setNow(Date.now())
    const timer = setInterval(() => setNow(Date.now()), 500)
    return () => clearInterval(timer)
  }, [up])
  if (up !== false || now - since < PATIENCE) return null
  return (
    <div
      role="alert"
      className="flex flex-wrap gap-x-3 border-b border-degraded/40 bg-degraded/10 px-4 py-2 text-[13px]"
    >
      <strong className="text-degraded-text">
        {t('shell.away', { time: duration(now - since) })}
      </strong>
      <span className="text-muted">{t('shell.awayLong')}</span>
    </div>
  )
}
