/** The frame around every page: navigation, state of the connection, palette, messages. */
import { Component, lazy, type ReactNode, Suspense, useEffect, useState } from 'react'
import { Link, Redirect, Route, Switch, useLocation } from 'wouter'
import { useServices, watchServices } from '@/data/services'
import { Empty, Button } from '@/design/parts'
import { text, useText } from '@/i18n/text'
import { LinkBanner } from '@/shell/link-banner'
import { Header, Navigation } from '@/shell/navigation'
import { PAGES } from '@/shell/pages'
import { Shortcuts } from '@/shell/shortcuts'
import { Messages } from '@/shell/messages'

const Palette = lazy(() => import('@/shell/palette'))

export function App() {
  const t = useText()
  const [dialog, setDialog] = useState<'palette' | 'shortcuts' | undefined>()
  useEffect(watchServices, [])
  useShellKeys(setDialog)
  useTitle()
  return (
    <div className="flex h-full flex-col-reverse md:flex-row">
      <a
        href="#content"
        className="sr-only focus:not-sr-only focus:absolute focus:z-50 focus:m-2 focus:rounded-control focus:bg-surface focus:p-2"
      >
        {t('shell.skip')}
      </a>
      <Navigation />
      <div className="flex min-h-0 min-w-0 flex-1 flex-col">
        <Header
          openPalette={() => setDialog('palette')}
          openShortcuts={() => setDialog('shortcuts')}
        />
        <LinkBanner />
        <main
          id="content"
          tabIndex={-1}
          className="relative min-h-0 flex-1 overflow-auto outline-none"
        >
          <Pages />
        </main>
      </div>
      {dialog === 'palette' && (
        <Suspense>
          <Palette close={() => setDialog(undefined)} />
        </Suspense>
      )}
      {dialog === 'shortcuts' && <Shortcuts close={() => setDialog(undefined)} />}
      <Messages />
    </div>
  )
}

function Pages() {
  const t = useText()
  return (
    <Suspense fallback={<p className="p-6 text-muted">{t('common.loading')}</p>}>
      <Switch>
        <Route path="/">
          <Redirect to="/topology" replace />
        </Route>
        {PAGES.map(({ path, view: View }) => (
          <Route key={path} path={`${path}/*?`}>
            <Guard key={path}>
              <View />
            </Guard>
          </Route>
        ))}
        <Route>
          <Empty title={t('shell.notFound')}>
            <Link href="/topology" className="text-accent hover:underline">
              {t('nav.topology')}
            </Link>
          </Empty>
        </Route>
      </Switch>
    </Suspense>
  )
}

/** A page that fails does not take the others with it. */
class Guard extends Component<{ children: ReactNode }, { error?: Error }> {
  override state: { error?: Error } = {}

  static getDerivedStateFromError(error: Error) {
    return { error }
  }

  override render() {
    if (!this.state.error) return this.props.children
    return (
      <Empty title={text('shell.error')}>
        <p className="mb-3 font-mono text-xs">{this.state.error.message}</p>
        <Button onClick={() => this.setState({ error: undefined })}>{text('shell.retry')}</Button>
      </Empty>
    )
  }
}

function useShellKeys(open: (dialog: 'palette' | 'shortcuts') => void): void {
  const [, navigate] = useLocation()
  useEffect(() => {
    const onKey = (event: KeyboardEvent) => {
      if ((event.metaKey || event.ctrlKey) && event.key.toLowerCase() === 'k') {
        event.preventDefault()
        open('palette')
        return
      }
      if (event.metaKey || event.ctrlKey || event.altKey || isTyping(event.target)) return
      const page = PAGES[Number(event.key) - 1]
      if (page) navigate(page.path)
      else if (event.key === '?') open('shortcuts')
      else if (event.key === ':') open('palette')
      else if (event.key === '/') focusSearch(event)
      else return
    }
    window.addEventListener('keydown', onKey)
    return () => window.removeEventListener('keydown', onKey)
  }, [navigate, open])
}

/** What the tab is called: the page and the project. */
function useTitle(): void {
  const t = useText()
  const [location] = useLocation()
  const project = useServices((services) => services.orchestrator?.project)
  const page = PAGES.find(({ path }) => location.startsWith(path))
  const title = [page && t(page.title), project, t('app.name')].filter(Boolean).join(' · ')
  useEffect(() => {
    document.title = title
  }, [title])
}

function isTyping(target: EventTarget | null): boolean {
  return (
    target instanceof HTMLElement &&
    (target.isContentEditable || target.closest('input, textarea, select, .xterm') !== null)
  )
}

function focusSearch(event: KeyboardEvent): void {
  const field = document.querySelector<HTMLInputElement>('[data-search]')
  if (!field) return
  event.preventDefault()
  field.focus()
  field.select()
}
