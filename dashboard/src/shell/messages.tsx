/** Short messages at the edge of the page: what became of what one has done. */
import { X } from 'lucide-react'
import { create } from 'zustand'
import { cx } from '@/design/parts'
import { useText } from '@/i18n/text'

interface Message {
  id: number
  words: string
  bad: boolean
}

const useMessages = create<{ list: Message[] }>(() => ({ list: [] }))
let last = 0

const dismiss = (id: number) =>
  useMessages.setState(({ list }) => ({ list: list.filter((message) => message.id !== id) }))

export function tell(words: string, bad = false): void {
  const id = ++last
  useMessages.setState(({ list }) => ({ list: [...list.slice(-3), { id, words, bad }] }))
  setTimeout(() => dismiss(id), bad ? 12_000 : 4000)
}

export function Messages() {
  const t = useText()
  const list = useMessages((messages) => messages.list)
  return (
    <div
      aria-live="polite"
      className="pointer-events-none fixed right-4 bottom-20 z-40 flex max-w-sm flex-col gap-2 md:bottom-4"
    >
      {list.map(({ id, words, bad }) => (
        <div
          key={id}
          className={cx(
            'pointer-events-auto flex items-start gap-3 rounded-card border bg-raised px-3 py-2 text-[13px] shadow-float',
            bad ? 'border-unhealthy/50' : 'border-line',
          )}
        >
          <span className="min-w-0 flex-1 break-words whitespace-pre-wrap">{words}</span>
          <button type="button" aria-label={t('common.close')} onClick={() => dismiss(id)}>
            <X size={14} aria-hidden />
          </button>
        </div>
      ))}
    </div>
  )
}
