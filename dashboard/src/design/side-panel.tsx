import { X } from 'lucide-react'
import type { ReactNode } from 'react'
import { Button } from '@/design/parts'
import { useText } from '@/i18n/text'

/** What is known of the selected thing: at the side, on a phone over the lower half. */
export function SidePanel({
  label,
  head,
  close,
  children,
}: {
  label: string
  head: ReactNode
  close: () => void
  children: ReactNode
}) {
  const t = useText()
  return (
    <aside
      aria-label={label}
      className="fixed inset-x-0 bottom-0 z-20 flex max-h-[70%] flex-col overflow-hidden rounded-t-2xl border border-line bg-surface shadow-float md:static md:max-h-none md:w-[26rem] md:shrink-0 md:rounded-none md:border-y-0 md:border-r-0 md:shadow-none"
    >
      <div className="flex items-start gap-2 border-b border-line p-4">
        <div className="min-w-0 flex-1">{head}</div>
        <Button look="quiet" aria-label={t('common.close')} onClick={close}>
          <X size={16} aria-hidden />
        </Button>
      </div>
      <div className="min-h-0 flex-1 overflow-auto pb-4">{children}</div>
    </aside>
  )
}
