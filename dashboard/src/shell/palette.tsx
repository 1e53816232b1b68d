/** Everything that can be found or done, by typing. */
import { Command } from 'cmdk'
import type { ReactNode } from 'react'
import { useLocation } from 'wouter'
import { ACTIONS, perform, shareReadOnly, startAll, stopAll } from '@/data/actions'
import { STATE_TEXT, STATE_TONE } from '@/data/names'
import { useServices } from '@/data/services'
import { useSettings } from '@/data/settings'
import { HealthMark, ServiceSwatch } from '@/design/parts'
import { useText } from '@/i18n/text'
import { Dialog } from '@/shell/dialog'
import { PAGES } from '@/shell/pages'

export default function Palette({ close }: { close: () => void }) {
  const t = useText()
  return (
    <Dialog label={t('shell.palette')} close={close} top>
      <Command label={t('shell.palette')} loop>
        <Command.Input
          placeholder={t('shell.paletteHint')}
          className="h-12 w-full border-b border-line bg-transparent px-4 text-[15px] outline-none placeholder:text-faint"
        />
        <Command.List className="max-h-[50vh] overflow-auto p-2 [&_[cmdk-group-heading]]:px-2 [&_[cmdk-group-heading]]:py-1.5 [&_[cmdk-group-heading]]:text-xs [&_[cmdk-group-heading]]:text-faint">
          <Command.Empty className="p-4 text-muted">{t('shell.nothing')}</Command.Empty>
          <Pages close={close} />
          <Services close={close} />
          <Actions close={close} />
        </Command.List>
      </Command>
    </Dialog>
  )
}

function Item({ words, run, children }: { words: string; run: () => void; children: ReactNode }) {
  return (
    <Command.Item
      value={words}
      onSelect={run}
      className="flex cursor-pointer items-center gap-2.5 rounded-control px-2 py-2 aria-selected:bg-accent-soft"
    >
      {children}
    </Command.Item>
  )
}

function Pages({ close }: { close: () => void }) {
  const t = useText()
  const [, navigate] = useLocation()
  return (
    <Command.Group heading={t('shell.pages')}>
      {PAGES.map(({ path, title, icon: Icon }) => (
        <Item key={path} words={t(title)} run={() => (navigate(path), close())}>
          <Icon size={16} aria-hidden className="text-muted" />
          {t(title)}
        </Item>
      ))}
    </Command.Group>
  )
}

function Services({ close }: { close: () => void }) {
  const t = useText()
  const [, navigate] = useLocation()
  const list = useServices((services) => services.list)
  return (
    <Command.Group heading={t('shell.services')}>
      {list.map((service) => (
        <Item
          key={service.name}
          words={`${service.name} ${service.label}`}
          run={() => (navigate(`/services/${encodeURIComponent(service.name)}`), close())}
        >
          <ServiceSwatch name={service.name} />
          <span className="flex-1">{service.name}</span>
          <span className="text-xs text-faint">{t(STATE_TEXT[service.state])}</span>
          <HealthMark tone={STATE_TONE[service.state]} />
        </Item>
      ))}
    </Command.Group>
  )
}

function Actions({ close }: { close: () => void }) {
  const t = useText()
  const list = useServices((services) => services.list)
  const { setTheme } = useSettings()
  const simple: readonly (readonly [string, () => void])[] = [
    [t('action.startAll'), startAll],
    [t('action.stopAll'), stopAll],
    [t('shell.share'), shareReadOnly],
    [`${t('shell.theme')}: ${t('shell.theme.dark')}`, () => setTheme('dark')],
    [`${t('shell.theme')}: ${t('shell.theme.light')}`, () => setTheme('light')],
    [`${t('shell.theme')}: ${t('shell.theme.system')}`, () => setTheme('system')],
  ]
  return (
    <Command.Group heading={t('shell.actions')}>
      {simple.map(([words, run]) => (
        <Item key={words} words={words} run={() => (run(), close())}>
          {words}
        </Item>
      ))}
      {list.flatMap((service) =>
        ACTIONS.filter((action) => action.fits(service)).map((action) => {
          const words = `${t(action.title)} ${service.name}`
          return (
            <Item
              key={words}
              words={words}
              run={() => (void perform(action, service.name), close())}
            >
              <action.icon size={15} aria-hidden className="text-muted" />
              {words}
            </Item>
          )
        }),
      )}
    </Command.Group>
  )
}
