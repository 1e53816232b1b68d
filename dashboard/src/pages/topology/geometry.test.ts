import { describe, expect, it } from 'vitest'
import {
  type Curve,
  freePlace,
  labelShares,
  NODE_HEIGHT,
  NODE_WIDTH,
  type Point,
} from '@/pages/topology/geometry'

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

describe('places of labels', () => {
  const straight = (x0: number, y0: number, x1: number, y1: number) =>
    ({
      points: Float32Array.from({ length: 42 }, (_, at) =>
        at % 2 ? y0 + ((y1 - y0) * (at - 1)) / 40 : x0 + ((x1 - x0) * at) / 40,
      ),
    }) as Curve

  it('are in the middle, and beside it where that is taken', () => {
    const [first, second] = labelShares([straight(0, 0, 400, 0), straight(0, -200, 400, 200)], [])
    expect(first).toBe(0.5)
    expect(second).not.toBe(0.5)
  })

  it('are upon no node', () => {
    const [share] = labelShares([straight(0, 37, 1000, 37)], [{ x: 400, y: 0 }])
    expect(Math.abs(share! * 1000 - 400 - NODE_WIDTH / 2)).toBeGreaterThan(NODE_WIDTH / 2)
  })
})
