import { type RefObject, useEffect, useRef } from 'react'
import { useLocation } from 'wouter'
import { ACTIONS, perform } from '@/data/actions'
import type { Query } from '@/data/query'
import { useServices } from '@/data/services'
import { useText } from '@/i18n/text'
import { MenuButton } from '@/design/menu'

export interface MenuPlace {
  name: string
  x: number
  y: number
}

/** What can be done with a node, at the pointer. */
export function ContextMenu({
  place,
  query,
  close,
}: {
  place: MenuPlace
  query: Query
  close: () => void
}) {
  const t = useText()
  const [, navigate] = useLocation()
  const element = useRef<HTMLDivElement>(null)
  const service = useServices((services) => services.byName.get(place.name))
  useEffect(() => element.current?.querySelector('button')?.focus(), [])
  useCloseOutside(element, close)
  const { name } = place
  const then = (run: () => void) => () => {
    run()
    close()
  }
  return (
    <div
      ref={element}
      role="group"
      aria-label={name}
      style={{
        left: Math.min(place.x, window.innerWidth - 230),
        top: Math.min(place.y, window.innerHeight - 300),
      }}
      className="fixed z-30 w-52 rounded-card border border-line bg-raised p-1.5 shadow-float"
    >
      <MenuButton onClick={then(() => navigate(`/services/${encodeURIComponent(name)}`))}>
        {t('topology.open')}
      </MenuButton>
      <MenuButton
        onClick={then(() => navigate(`/logs?filter=${encodeURIComponent(`service:${name}`)}`))}
      >
        {t('topology.logs')}
      </MenuButton>
      <MenuButton onClick={then(() => query.set({ focus: name }))}>
        {t('topology.focus')}
      </MenuButton>
      <MenuButton onClick={then(() => query.set({ hidden: [...query.list('hidden'), name] }))}>
        {t('topology.hide')}
      </MenuButton>
      {service &&
        ACTIONS.filter((action) => action.fits(service)).map((action) => (
          <MenuButton key={action.title} onClick={then(() => void perform(action, name))}>
            <action.icon size={14} aria-hidden className="text-muted" />
            {t(action.title)}
          </MenuButton>
        ))}
    </div>
  )
}

/** Closed by Escape, and by pressing anywhere else; wherever the focus is. */
function useCloseOutside(element: RefObject<HTMLElement | null>, close: () => void): void {
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => event.key === 'Escape' && close()
    const onPress = ({ target }: PointerEvent) =>
      target instanceof Node && !element.current?.contains(target) && close()
    window.addEventListener('keydown', onKey)
    window.addEventListener('pointerdown', onPress, true)
    return () => {
      window.removeEventListener('keydown', onKey)
      window.removeEventListener('pointerdown', onPress, true)
    }
  }, [element, close])
}
