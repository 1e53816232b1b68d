/** What colours and lines of the graph stand for. */
import { Info } from 'lucide-react'
import { CONNECTION_TEXT, TONE_TEXT, type Tone } from '@/data/names'
import { Menu } from '@/design/menu'
import { HealthMark } from '@/design/parts'
import { ConnectionState } from '@/gen/runtime/v1/topology_pb'
import type { TextKey } from '@/i18n/en'
import { useText } from '@/i18n/text'
import { EDGE_COLOUR } from '@/pages/topology/edge-painter'
import { BORDER } from '@/pages/topology/service-node'

const FILLS: readonly Tone[] = ['healthy', 'degraded', 'unhealthy', 'starting', 'unknown']

const STATES = [
  ConnectionState.ACTIVE,
  ConnectionState.IDLE,
  ConnectionState.STALE,
  ConnectionState.DEAD,
  ConnectionState.CONNECTION_UNKNOWN,
] as const

const EDGES: readonly (readonly [colour: string, dash: string, TextKey])[] = [
  [EDGE_COLOUR.active, '', 'legend.calls'],
  [EDGE_COLOUR.slow, '', 'legend.slow'],
  [EDGE_COLOUR.failing, '', 'legend.failing'],
  [EDGE_COLOUR.idle, '5 4', 'legend.idle'],
  [EDGE_COLOUR.discovery, '2 3', 'topology.discovery'],
]

export function Legend() {
  const t = useText()
  return (
    <Menu label={t('topology.legend')} icon={<Info size={15} aria-hidden />}>
      <ul className="flex flex-col gap-1.5 p-1.5 text-[13px]">
        {FILLS.map((tone) => (
          <li key={tone} className="flex items-center gap-2.5">
            <span className="flex w-7 justify-center">
              <HealthMark tone={tone} />
            </span>
            {t(TONE_TEXT[tone])}
          </li>
        ))}
        <li className="my-1 border-t border-line" />
        {STATES.map((state) => (
          <li key={state} className="flex items-center gap-2.5">
            <span aria-hidden className={`h-4 w-7 rounded border-2 ${BORDER[state]}`} />
            {t(CONNECTION_TEXT[state])}
          </li>
        ))}
        <li className="my-1 border-t border-line" />
        {EDGES.map(([colour, dash, title]) => (
          <li key={title} className="flex items-center gap-2.5">
            <svg aria-hidden width="28" height="10">
              <path d="M0 5h22" stroke={colour} strokeWidth="2.5" strokeDasharray={dash} />
              <path d="M28 5l-8-4v8z" fill={colour} />
            </svg>
            {t(title)}
          </li>
        ))}
      </ul>
    </Menu>
  )
}
