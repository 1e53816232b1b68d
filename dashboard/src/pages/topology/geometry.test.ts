import { describe, expect, it } from 'vitest'
import { freePlace, NODE_HEIGHT, NODE_WIDTH, type Point } from '@/pages/topology/geometry'

const overlap = (a: Point, b: Point) =>
  Math.abs(a.x - b.x) < NODE_WIDTH && Math.abs(a.y - b.y) < NODE_HEIGHT

describe('a place for a newcomer', () => {
  it('is beside its neighbour and upon nobody', () => {
    const taken: Point[] = [{ x: 0, y: 0 }]
    for (let n = 0; n < 150; n++) {
      const place = freePlace(taken, [taken[0]!])
      expect(taken.some((other) => overlap(other, place))).toBe(false)
      taken.push(place)
    }
    expect(taken[1]!.x).toBeGreaterThan(NODE_WIDTH)
  })

  it('is below the others when it knows nobody', () => {
    expect(freePlace([{ x: 40, y: 100 }], [])).toEqual({ x: 40, y: 210 })
  })
})
