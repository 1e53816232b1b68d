import { type ReactNode, useEffect, useRef } from 'react'

/** A modal dialog: the browser's own, which keeps the focus and closes on Escape. */
export function Dialog({
  label,
  close,
  children,
  top,
}: {
  label: string
  close: () => void
  children: ReactNode
  top?: boolean
}) {
  const element = useRef<HTMLDialogElement>(null)
  useEffect(() => {
    element.current?.showModal()
    element.current?.querySelector('input')?.focus()
  }, [])
  return (
    <dialog
      ref={element}
      aria-label={label}
      onClose={close}
      onClick={(event) => event.target === element.current && close()}
      className={`m-auto w-[min(34rem,calc(100vw-2rem))] rounded-card border border-line bg-raised p-0 text-text shadow-float backdrop:bg-black/30 ${top ? 'mt-[14vh]' : ''}`}
    >
      {children}
    </dialog>
  )
}
