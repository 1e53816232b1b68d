/**
 * A service keeps its colour everywhere: FNV-1a of its name picks one of twelve hues, as the
 * command line does.
 */
const HUES = [212, 152, 28, 271, 340, 186, 48, 320, 96, 240, 8, 168]

export function serviceHue(name: string): number {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return HUES[hash % HUES.length] ?? 212
}

export const serviceColour = (name: string) => `hsl(${serviceHue(name)} 62% 50%)`
