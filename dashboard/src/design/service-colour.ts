/**
 * A service keeps its colour everywhere: FNV-1a of its name picks one of twelve, as the command
 * line does (src/cli/style.c; these are the same colours of xterm's 256).
 */
const COLOURS = [
  '#0087ff',
  '#00afaf',
  '#5f5fd7',
  '#5f87d7',
  '#5fafaf',
  '#875faf',
  '#8787af',
  '#af5f87',
  '#af8700',
  '#af87af',
  '#d75f00',
  '#d7875f',
] as const

export function serviceColour(name: string): string {
  let hash = 0x811c9dc5
  for (const byte of new TextEncoder().encode(name)) hash = Math.imul(hash ^ byte, 0x01000193) >>> 0
  return COLOURS[hash % COLOURS.length] ?? COLOURS[0]
}

/** The same as text, darker or lighter, so that it can be read upon the surface. */
export function serviceTextColour(name: string): string {
  const colour = serviceColour(name)
  return `light-dark(color-mix(in oklab, ${colour} 62%, black), color-mix(in oklab, ${colour} 78%, white))`
}
