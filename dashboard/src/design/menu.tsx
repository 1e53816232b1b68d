/** A button that opens a small panel below itself, and what stands in it. */
import type { ReactNode } from 'react'

export function Menu({
  label,
  icon,
  children,
}: {
  label: string
  icon: ReactNode
  children: ReactNode
}) {
  return (
    <details
      className="group relative"
      onBlur={(event) => {
        if (!event.currentTarget.contains(event.relatedTarget)) event.currentTarget.open = false
      }}
    >
      <summary className="flex h-8 cursor-pointer list-none items-center gap-1.5 rounded-control border border-line bg-surface px-2.5 text-[13px] font-medium shadow-card hover:border-line-strong [&::-webkit-details-marker]:hidden">
        {icon}
        <span className="sr-only sm:not-sr-only">{label}</span>
      </summary>
      <div
        tabIndex={-1}
        className="absolute top-9 left-0 z-20 max-h-[70vh] w-60 overflow-auto rounded-card border border-line bg-raised p-1.5 shadow-float outline-none"
      >
        {children}
      </div>
    </details>
  )
}

export function MenuButton({ onClick, children }: { onClick: () => void; children: ReactNode }) {
  return (
    <button
      type="button"
      onClick={onClick}
      className="flex w-full items-center gap-2 rounded-control px-2 py-1.5 text-left text-[13px] hover:bg-accent-soft"
    >
      {children}
    </button>
  )
}
