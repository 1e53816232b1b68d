import type { TextKey } from '@/i18n/en'
import { useText } from '@/i18n/text'
import { Dialog } from '@/shell/dialog'

const KEYS: readonly (readonly [string, TextKey])[] = [
  ['Ctrl K  :', 'keys.palette'],
  ['1 – 6', 'keys.go'],
  ['/', 'keys.search'],
  ['f', 'keys.fit'],
  ['↵', 'keys.open'],
  ['← ↑ ↓ →', 'keys.move'],
  ['Esc', 'keys.close'],
  ['?', 'keys.help'],
]

export function Shortcuts({ close }: { close: () => void }) {
  const t = useText()
  return (
    <Dialog label={t('shell.shortcuts')} close={close}>
      <div className="p-4">
        <h2 className="mb-3 font-semibold">{t('shell.shortcuts')}</h2>
        <dl className="grid grid-cols-[auto_1fr] gap-x-6 gap-y-2">
          {KEYS.map(([keys, what]) => (
            <div key={what} className="contents">
              <dt>
                <kbd className="rounded border border-line bg-sunken px-1.5 py-0.5 font-mono text-xs">
                  {keys}
                </kbd>
              </dt>
              <dd className="text-muted">{t(what)}</dd>
            </div>
          ))}
        </dl>
      </div>
    </Dialog>
  )
}
