import { useReactFlow } from '@xyflow/react'
import { Download, Eye, Maximize, Minus, Plus, RefreshCw, Search } from 'lucide-react'
import { useMemo, useState } from 'react'
import { LANGUAGE } from '@/data/names'
import type { Query } from '@/data/query'
import { graph, useStructure } from '@/data/topology'
import { Menu, MenuButton } from '@/design/menu'
import { Button } from '@/design/parts'
import { useText } from '@/i18n/text'
import { exportPng, exportSvg } from '@/pages/topology/export'
import { NODE_HEIGHT, NODE_WIDTH } from '@/pages/topology/geometry'
import type { Drawn, View } from '@/pages/topology/model'
import { Legend } from '@/pages/topology/legend'
import { placesOf } from '@/pages/topology/places'
import { fitAll, keepViewport } from '@/pages/topology/viewport'

export function Toolbar({
  query,
  view,
  drawn,
  layout,
  arrange,
}: {
  query: Query
  view: View
  drawn: Drawn
  layout: string
  arrange: () => void
}) {
  const t = useText()
  const flow = useReactFlow()
  const zoom = async (by: (options: { duration: number }) => Promise<boolean>) => {
    await by({ duration: 150 })
    keepViewport(layout, flow.getViewport())
  }
  return (
    <div className="pointer-events-none absolute inset-x-3 top-3 flex flex-wrap items-start gap-2 *:pointer-events-auto">
      <Find layout={layout} />
      <ShowMenu query={query} view={view} />
      <div className="flex h-8 items-center overflow-hidden rounded-control border border-line bg-surface shadow-card">
        <Button
          look="quiet"
          aria-label={t('topology.zoomOut')}
          className="max-sm:hidden"
          onClick={() => void zoom(flow.zoomOut)}
        >
          <Minus size={15} aria-hidden />
        </Button>
        <Button
          look="quiet"
          aria-label={t('topology.zoomIn')}
          className="max-sm:hidden"
          onClick={() => void zoom(flow.zoomIn)}
        >
          <Plus size={15} aria-hidden />
        </Button>
        <Button
          look="quiet"
          aria-label={t('topology.fit')}
          title={`${t('topology.fit')} (f)`}
          onClick={() => fitAll(layout, flow)}
        >
          <Maximize size={15} aria-hidden />
        </Button>
        <Button
          look="quiet"
          aria-label={t('topology.layout')}
          title={t('topology.layout')}
          onClick={arrange}
        >
          <RefreshCw size={15} aria-hidden />
        </Button>
      </div>
      <Menu label={t('topology.export')} icon={<Download size={15} aria-hidden />}>
        <MenuButton onClick={() => exportSvg(layout, drawn)}>{t('topology.exportSvg')}</MenuButton>
        <MenuButton onClick={() => exportPng(layout, drawn)}>{t('topology.exportPng')}</MenuButton>
      </Menu>
      <Legend />
      {view.focus && (
        <Button on onClick={() => query.set({ focus: '' })}>
          {view.focus} · {t('topology.unfocus')}
        </Button>
      )}
      {view.hidden.size > 0 && (
        <Button onClick={() => query.set({ hidden: '' })}>
          {t('topology.unhide', { count: view.hidden.size })}
        </Button>
      )}
    </div>
  )
}

/** Brings the node whose name fits to the middle. */
function Find({ layout }: { layout: string }) {
  const t = useText()
  const flow = useReactFlow()
  const structure = useStructure()
  const [words, setWords] = useState('')
  const found = useMemo(
    () =>
      [...graph.nodes.keys()].filter(
        (name) => words && name.toLowerCase().includes(words.toLowerCase()),
      ),
    // eslint-disable-next-line react-hooks/exhaustive-deps -- `structure` says when the graph changed
    [words, structure],
  )
  const show = (name: string | undefined) => {
    const place = name === undefined ? undefined : placesOf(layout)[name]
    if (place)
      void flow.setCenter(place.x + NODE_WIDTH / 2, place.y + NODE_HEIGHT / 2, {
        zoom: 1.1,
        duration: 350,
      })
  }
  return (
    <div className="relative">
      <Search size={14} aria-hidden className="absolute top-2.5 left-2.5 text-faint" />
      <input
        data-search
        type="search"
        aria-label={t('topology.find')}
        placeholder={t('topology.find')}
        value={words}
        onChange={(event) => setWords(event.target.value)}
        onKeyDown={(event) => {
          if (event.key === 'Enter') show(found[0])
          if (event.key === 'Escape') setWords('')
        }}
        className="h-8 w-32 rounded-control sm:w-44 border border-line bg-surface pr-2 pl-8 text-[13px] shadow-card placeholder:text-faint"
      />
      {words && (
        <ul className="absolute top-9 left-0 max-h-64 w-56 overflow-auto rounded-card border border-line bg-raised p-1 shadow-float">
          {found.slice(0, 30).map((name) => (
            <li key={name}>
              <button
                type="button"
                onClick={() => (show(name), setWords(''))}
                className="w-full truncate rounded-control px-2 py-1 text-left hover:bg-accent-soft"
              >
                {name}
              </button>
            </li>
          ))}
          {found.length === 0 && <li className="px-2 py-1 text-muted">{t('shell.nothing')}</li>}
        </ul>
      )}
    </div>
  )
}

function ShowMenu({ query, view }: { query: Query; view: View }) {
  const t = useText()
  useStructure()
  const languages = new Set(
    [...graph.nodes.values()].map((node) => LANGUAGE[node.language].name).filter(Boolean),
  )
  return (
    <Menu label={t('topology.show')} icon={<Eye size={15} aria-hidden />}>
      <Check on={view.discovery} set={(on) => query.set({ discovery: on ? '' : 'off' })}>
        {t('topology.discovery')}
      </Check>
      <Check on={view.dependencies} set={(on) => query.set({ dependencies: on ? 'on' : '' })}>
        {t('topology.dependencies')}
      </Check>
      <Check on={query.get('idle') !== 'off'} set={(on) => query.set({ idle: on ? '' : 'off' })}>
        {t('topology.idle')}
      </Check>
      <Heading>{t('topology.group')}</Heading>
      {(['none', 'namespace', 'language'] as const).map((grouping) => (
        <label key={grouping} className="flex items-center gap-2 px-2 py-1 text-[13px]">
          <input
            type="radio"
            name="grouping"
            checked={view.grouping === grouping}
            onChange={() =>
              query.set({ group: grouping === 'none' ? '' : grouping, collapsed: '' })
            }
          />
          {t(`topology.group.${grouping}`)}
        </label>
      ))}
      {languages.size > 1 && <Heading>{t('topology.language')}</Heading>}
      {languages.size > 1 &&
        [...languages].sort().map((name) => (
          <Check
            key={name}
            on={view.languages.size === 0 || view.languages.has(name)}
            set={(on) => {
              const chosen = new Set(view.languages.size ? view.languages : languages)
              if (on) chosen.add(name)
              else chosen.delete(name)
              query.set({ languages: chosen.size === languages.size ? [] : [...chosen] })
            }}
          >
            {name}
          </Check>
        ))}
    </Menu>
  )
}

function Heading({ children }: { children: string }) {
  return <div className="mt-2 px-2 py-1 text-xs font-semibold text-faint">{children}</div>
}

function Check({
  on,
  set,
  children,
}: {
  on: boolean
  set: (on: boolean) => void
  children: string
}) {
  return (
    <label className="flex items-center gap-2 px-2 py-1 text-[13px]">
      <input type="checkbox" checked={on} onChange={(event) => set(event.target.checked)} />
      {children}
    </label>
  )
}
