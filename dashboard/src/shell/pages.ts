/** The pages, in the order of the navigation: a page to come is one line here. */
import {
  Activity,
  FileSliders,
  HeartPulse,
  Layers,
  type LucideIcon,
  ScrollText,
  Share2,
} from 'lucide-react'
import { type ComponentType, lazy, type LazyExoticComponent } from 'react'
import type { TextKey } from '@/i18n/en'

export interface Page {
  /** Where it lives; everything below it is the page's own. */
  path: string
  title: TextKey
  icon: LucideIcon
  view: LazyExoticComponent<ComponentType>
}

export const PAGES: readonly Page[] = [
  {
    path: '/topology',
    title: 'nav.topology',
    icon: Share2,
    view: lazy(() => import('@/pages/topology/topology-page')),
  },
  {
    path: '/services',
    title: 'nav.services',
    icon: Layers,
    view: lazy(() => import('@/pages/services/services-page')),
  },
  {
    path: '/health',
    title: 'nav.health',
    icon: HeartPulse,
    view: lazy(() => import('@/pages/health/health-page')),
  },
  {
    path: '/logs',
    title: 'nav.logs',
    icon: ScrollText,
    view: lazy(() => import('@/pages/logs/logs-page')),
  },
  {
    path: '/events',
    title: 'nav.events',
    icon: Activity,
    view: lazy(() => import('@/pages/events/events-page')),
  },
  {
    path: '/configuration',
    title: 'nav.configuration',
    icon: FileSliders,
    view: lazy(() => import('@/pages/configuration/configuration-page')),
  },
]
