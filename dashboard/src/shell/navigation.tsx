import {
  Command as CommandIcon,
  Keyboard,
  Languages,
  Link2 as LinkIcon,
  Moon,
  Sun,
  SunMoon,
} from 'lucide-react'
import { Link, useLocation } from 'wouter'
import { useMayControl, useSession } from '@/api/session'
import { shareReadOnly } from '@/data/actions'
import { useLink } from '@/data/link'
import { STATE_TONE } from '@/data/names'
import { useServices } from '@/data/services'
import { type Theme, useSettings } from '@/data/settings'
import { Button, cx, HealthMark, Pill } from '@/design/parts'
import { ServiceState } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'
import { PAGES } from '@/shell/pages'

/** At the side; on a phone at the bottom. */
export function Navigation() {
  const t = useText()
  const [location] = useLocation()
  return (
    <nav
      aria-label={t('nav.main')}
      className="flex shrink-0 border-t border-line bg-surface md:w-[84px] md:flex-col md:border-t-0 md:border-r"
    >
      <Link
        href="/topology"
        aria-label={t('app.name')}
        className="hidden h-14 items-center justify-center md:flex"
      >
        <img src="/icon.svg" alt="" width="30" height="30" />
      </Link>
      <ul className="flex flex-1 justify-around md:flex-col md:justify-start md:gap-1 md:px-1.5">
        {PAGES.map(({ path, title, icon: Icon }) => {
          const here = location.startsWith(path)
          return (
            <li key={path} className="min-w-0 flex-1 md:flex-none">
              <Link
                href={path}
                aria-current={here ? 'page' : undefined}
                className={cx(
                  'flex flex-col items-center gap-1 rounded-control px-1 py-2 text-[10.5px] font-medium transition-colors',
                  here ? 'text-accent md:bg-accent-soft' : 'text-muted hover:text-text',
                )}
              >
                <Icon size={19} strokeWidth={here ? 2.2 : 1.8} aria-hidden />
                <span className="max-w-full truncate">{t(title)}</span>
              </Link>
            </li>
          )
        })}
      </ul>
    </nav>
  )
}

export function Header({
  openPalette,
  openShortcuts,
}: {
  openPalette: () => void
  openShortcuts: () => void
}) {
  const t = useText()
  const project = useServices((services) => services.orchestrator?.project)
  return (
    <header className="flex h-14 shrink-0 items-center gap-3 border-b border-line bg-surface px-3 md:px-4">
      <h1 className="truncate text-[15px] font-semibold">{project || t('app.name')}</h1>
      <Summary />
      <div className="flex-1" />
      <Rights />
      <LinkState />
      <Button look="quiet" onClick={openPalette} className="md:border md:border-line">
        <CommandIcon size={15} aria-hidden />
        <span className="sr-only lg:not-sr-only">{t('shell.palette')}</span>
        <kbd
          aria-hidden
          className="hidden rounded border border-line px-1 font-sans text-[10.5px] font-medium text-faint lg:inline"
        >
          Ctrl K
        </kbd>
      </Button>
      <ShareButton />
      <ThemeButton />
      <LanguageButton />
      <Button
        look="quiet"
        onClick={openShortcuts}
        aria-label={t('shell.shortcuts')}
        className="max-sm:hidden"
      >
        <Keyboard size={16} aria-hidden />
      </Button>
    </header>
  )
}

/** How it is, in a word: tasks that are done count as well as services that are well. */
function Summary() {
  const t = useText()
  const list = useServices((services) => services.list)
  const wanted = list.filter((service) => !service.disabled && !service.stoppedByUser)
  if (!wanted.length) return null
  const tones = wanted.map((service) => STATE_TONE[service.state])
  const well = tones.filter((tone) => tone === 'healthy').length
  const failed = wanted.filter((service) => service.state === ServiceState.FAILED).length
  const tone =
    failed || tones.includes('unhealthy')
      ? 'unhealthy'
      : tones.includes('degraded')
        ? 'degraded'
        : well === wanted.length
          ? 'healthy'
          : 'starting'
  return (
    <span className="hidden items-center gap-2 sm:flex">
      <Link href="/services">
        <Pill tone={tone}>
          <HealthMark tone={tone} size={12} />
          {t('shell.healthyOf', { healthy: well, total: wanted.length })}
        </Pill>
      </Link>
      {failed > 0 && (
        <Link
          href="/services?state=failed"
          className="text-xs font-medium text-unhealthy-text hover:underline"
        >
          {t('shell.failed', { count: failed })}
        </Link>
      )}
    </span>
  )
}

/** Says that this person may only look. */
function Rights() {
  const t = useText()
  const may = useMayControl()
  const known = useSession((session) => session.version !== '')
  const refused = useSession((session) => session.refused)
  if (may || !known) return null
  return (
    <span
      title={refused ? t('shell.refused', { reason: refused }) : t('action.notAllowed')}
      className="rounded-full border border-line px-2 py-0.5 text-xs text-muted"
    >
      {t('shell.readOnly')}
    </span>
  )
}

function LinkState() {
  const t = useText()
  const up = useLink((link) => link.up)
  return (
    <span role="status" className="flex items-center gap-1.5 text-xs text-muted">
      <span
        aria-hidden
        className={cx(
          'size-2 rounded-full',
          up ? 'bg-healthy' : up === false ? 'bg-unhealthy' : 'bg-unknown',
        )}
      />
      {up ? t('shell.connected') : t('shell.connecting')}
    </span>
  )
}

function ShareButton() {
  const t = useText()
  const may = useMayControl()
  if (!may) return null
  return (
    <Button
      look="quiet"
      onClick={shareReadOnly}
      aria-label={t('shell.share')}
      title={t('shell.share')}
      className="max-sm:hidden"
    >
      <LinkIcon size={16} aria-hidden />
    </Button>
  )
}

const THEMES: readonly Theme[] = ['system', 'light', 'dark']
const THEME_ICON = { system: SunMoon, light: Sun, dark: Moon }

function ThemeButton() {
  const t = useText()
  const { theme, setTheme } = useSettings()
  const Icon = THEME_ICON[theme]
  const next = THEMES[(THEMES.indexOf(theme) + 1) % THEMES.length] ?? 'system'
  return (
    <Button
      look="quiet"
      onClick={() => setTheme(next)}
      aria-label={`${t('shell.theme')}: ${t(`shell.theme.${theme}`)}`}
      title={t(`shell.theme.${theme}`)}
    >
      <Icon size={16} aria-hidden />
    </Button>
  )
}

function LanguageButton() {
  const t = useText()
  const { language, setLanguage } = useSettings()
  return (
    <Button
      look="quiet"
      onClick={() => setLanguage(language === 'en' ? 'de' : 'en')}
      aria-label={`${t('shell.language')}: ${language.toUpperCase()}`}
    >
      <Languages size={16} aria-hidden />
      <span className="text-xs uppercase">{language}</span>
    </Button>
  )
}
