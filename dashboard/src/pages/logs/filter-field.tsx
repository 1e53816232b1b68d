/** The filter line, which completes names and values that occur in the log. */
import { useEffect, useState } from 'react'
import { logger } from '@/api/client'
import type { LogField } from '@/gen/runtime/v1/logger_pb'
import { useText } from '@/i18n/text'
import { complete } from '@/pages/logs/complete'

const PATIENCE = 350

export function FilterField({ value, change }: { value: string; change: (value: string) => void }) {
  const t = useText()
  const [words, setWords] = useState(value)
  const [fields, setFields] = useState<readonly LogField[]>([])
  const [open, setOpen] = useState(false)
  const [chosen, setChosen] = useState(-1)
  useEffect(() => setWords(value), [value])
  useEffect(() => {
    if (words === value) return
    const timer = setTimeout(() => change(words), PATIENCE)
    return () => clearTimeout(timer)
  }, [words, value, change])
  const load = () =>
    void logger
      .listLogFields({ valueLimit: 20 })
      .then((answer) => setFields(answer.fields))
      .catch(() => undefined) // it completes nothing, then
  const last = words.slice(words.lastIndexOf(' ') + 1)
  const offers = open ? complete(fields, last).slice(0, 12) : []
  const take = (offer: string) => {
    const rest = words.slice(0, words.length - last.length)
    setWords(rest + offer + (offer.endsWith(':') || offer.endsWith('=') ? '' : ' '))
    setChosen(-1)
  }
  return (
    <div className="relative min-w-0 flex-1 max-sm:basis-full">
      <input
        data-search
        type="search"
        role="combobox"
        aria-label={t('logs.filterLabel')}
        aria-expanded={offers.length > 0}
        aria-controls="log-filter-offers"
        aria-autocomplete="list"
        placeholder={t('logs.filter')}
        value={words}
        onFocus={() => (load(), setOpen(true))}
        onBlur={() => setOpen(false)}
        onChange={(event) => (setWords(event.target.value), setOpen(true), setChosen(-1))}
        onKeyDown={(event) => {
          if (event.key === 'ArrowDown') setChosen(Math.min(chosen + 1, offers.length - 1))
          else if (event.key === 'ArrowUp') setChosen(Math.max(chosen - 1, -1))
          else if ((event.key === 'Enter' || event.key === 'Tab') && offers[chosen])
            take(offers[chosen])
          else if (event.key === 'Enter') (change(words), setOpen(false))
          else if (event.key === 'Escape') (setOpen(false), event.stopPropagation())
          else return
          event.preventDefault()
        }}
        spellCheck={false}
        className="h-8 w-full rounded-control border border-line bg-surface px-2.5 font-mono text-[12.5px] placeholder:text-faint"
      />
      <ul
        id="log-filter-offers"
        role="listbox"
        aria-label={t('logs.filterLabel')}
        hidden={offers.length === 0}
        className="absolute top-9 left-0 z-20 w-72 rounded-card border border-line bg-raised p-1 font-mono text-[12.5px] shadow-float"
      >
        {offers.map((offer, at) => (
          <li
            key={offer}
            role="option"
            aria-selected={at === chosen}
            onMouseDown={(event) => (event.preventDefault(), take(offer))}
            className="cursor-pointer truncate rounded-control px-2 py-1 hover:bg-accent-soft aria-selected:bg-accent-soft"
          >
            {offer}
          </li>
        ))}
      </ul>
    </div>
  )
}
