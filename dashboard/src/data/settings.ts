/** What this person has chosen, kept in this browser. */
import { create } from 'zustand'
import { persist } from 'zustand/middleware'

export type Theme = 'system' | 'light' | 'dark'
export type Language = 'en' | 'de'

interface Settings {
  theme: Theme
  language: Language
  setTheme(theme: Theme): void
  setLanguage(language: Language): void
}

export const useSettings = create<Settings>()(
  persist(
    (set) => ({
      theme: 'system',
      language: navigator.language.startsWith('de') ? 'de' : 'en',
      setTheme: (theme) => set({ theme }),
      setLanguage: (language) => set({ language }),
    }),
    { name: 'muster.settings' },
  ),
)

export const darkSystem = window.matchMedia('(prefers-color-scheme: dark)')

function apply(): void {
  const { theme, language } = useSettings.getState()
  const dark = theme === 'dark' || (theme === 'system' && darkSystem.matches)
  document.documentElement.dataset['theme'] = dark ? 'dark' : 'light'
  document.documentElement.lang = language
}

useSettings.subscribe(apply)
darkSystem.addEventListener('change', apply)
apply()

export const reducedMotion = window.matchMedia('(prefers-reduced-motion: reduce)')
