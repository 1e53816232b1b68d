/** The frame of a page that is read from top to bottom. */
import type { ReactNode } from 'react'
import { useQuery } from '@/data/query'
import { cx } from '@/design/parts'

export function PageBody({ full, children }: { full?: boolean; children: ReactNode }) {
  return (
    <div className={cx('mx-auto flex max-w-7xl flex-col gap-4 p-4 md:p-6', full && 'h-full')}>
      {children}
    </div>
  )
}

/** Its title, the words it is filtered by, and what else can be chosen. */
export function PageHead({
  title,
  filter,
  children,
}: {
  title: string
  /** What the filter is called; without one there is none. It stands in the address as `find`. */
  filter?: string
  children?: ReactNode
}) {
  const query = useQuery()
  return (
    <div className="flex flex-wrap items-center gap-2">
      <h2 className="mr-auto text-lg font-semibold tracking-tight">{title}</h2>
      {filter && (
        <input
          data-search
          type="search"
          aria-label={filter}
          placeholder={filter}
          value={query.get('find')}
          onChange={(event) => query.set({ find: event.target.value })}
          className="h-8 w-52 rounded-control border border-line bg-surface px-2.5 text-[13px] placeholder:text-faint max-sm:order-last max-sm:w-full"
        />
      )}
      {children}
    </div>
  )
}

/** Whether all words of a page's filter occur in one of the texts. */
export function fits(find: string, ...texts: readonly (string | undefined)[]): boolean {
  const text = texts.join(' ').toLowerCase()
  return find
    .toLowerCase()
    .split(/\s+/)
    .every((word) => text.includes(word))
}
