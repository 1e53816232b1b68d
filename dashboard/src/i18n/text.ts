/** The page's texts in the chosen language. */
import { type Language, useSettings } from '@/data/settings'
import { de } from '@/i18n/de'
import { en, type TextKey } from '@/i18n/en'

const TEXTS: Record<Language, Record<TextKey, string>> = { en, de }

export type Fill = Record<string, string | number>

export function text(key: TextKey, fill?: Fill): string {
  const pattern = TEXTS[useSettings.getState().language][key]
  return fill
    ? pattern.replace(/\{(\w+)\}/g, (_, name: string) => String(fill[name] ?? ''))
    : pattern
}

/** The same, and the component is drawn again when the language changes. */
export function useText(): typeof text {
  useSettings((settings) => settings.language)
  return text
}
