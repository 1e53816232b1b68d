/**
 * A row of buttons as one stop of the tabulator, in which the arrow keys move: give the last one
 * `tabIndex={0}`, the others -1, and this to what holds them.
 */
import type { KeyboardEvent } from 'react'

export function moveByArrows(event: KeyboardEvent<HTMLElement>): void {
  const here = event.target
  if (!(here instanceof HTMLButtonElement)) return
  const row = [...event.currentTarget.querySelectorAll('button')]
  const at = row.indexOf(here)
  const to = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: row.length - 1 }[event.key]
  const next = to === undefined ? undefined : row[to]
  if (!next) return
  event.preventDefault()
  row.forEach((button) => (button.tabIndex = button === next ? 0 : -1))
  next.focus()
}
