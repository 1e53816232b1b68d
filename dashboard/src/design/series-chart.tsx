/** Figures over time, by uPlot, in the colours of the theme. */
import { useEffect, useRef } from 'react'
import uPlot from 'uplot'
import 'uplot/dist/uPlot.min.css'
import { timeOfDay } from '@/data/format'
import { useSettings } from '@/data/settings'

export interface Series {
  label: string
  colour: string
  values: readonly number[]
}

export interface SeriesChartProps {
  label: string
  /** Unix seconds. */
  times: readonly number[]
  series: readonly Series[]
  format: (value: number) => string
  height?: number
  /** The scale goes up to this at least. */
  least?: number
}

/** Minutes, or seconds too where ticks are less than a minute apart. */
function clockTimes(ticks: readonly number[]): string[] {
  const step = (ticks[1] ?? 0) - (ticks[0] ?? 0)
  return ticks.map((tick) => timeOfDay(tick * 1000).slice(0, step >= 60 ? 5 : 8))
}

export default function SeriesChart({
  label,
  times,
  series,
  format,
  height = 110,
  least = 1e-6,
}: SeriesChartProps) {
  const holder = useRef<HTMLDivElement>(null)
  const chart = useRef<uPlot>(undefined)
  const theme = useSettings((settings) => settings.theme)
  const shape = series.map((each) => each.label).join('\n')
  const data: uPlot.AlignedData = [
    [...times],
    ...series.map((each) => each.values.map((value) => (Number.isNaN(value) ? null : value))),
  ]
  const latest = useRef({ data, format, series })
  latest.current = { data, format, series }
  useEffect(() => {
    const element = holder.current
    if (!element) return
    const style = getComputedStyle(document.documentElement)
    const faint = style.getPropertyValue('--faint')
    const line = style.getPropertyValue('--line')
    const axis = {
      stroke: faint,
      grid: { stroke: line, width: 1 },
      ticks: { show: false },
      font: `10px ${getComputedStyle(document.body).fontFamily}`,
    }
    const plot = new uPlot(
      {
        width: element.clientWidth,
        height,
        padding: [6, 18, 0, 0],
        cursor: { y: false },
        legend: { show: false },
        scales: { y: { range: (_, __, top) => [0, Math.max((top ?? 0) * 1.1, least)] } },
        axes: [
          {
            ...axis,
            size: 20,
            space: 70,
            values: (_, ticks) => clockTimes(ticks),
          },
          {
            ...axis,
            size: 54,
            space: 28,
            values: (_, ticks) => ticks.map((tick) => latest.current.format(tick)),
          },
        ],
        series: [
          {},
          ...latest.current.series.map((each) => ({
            label: each.label,
            stroke: each.colour,
            width: 1.5,
            points: { show: false },
          })),
        ],
      },
      latest.current.data,
      element,
    )
    chart.current = plot
    const observer = new ResizeObserver(() => plot.setSize({ width: element.clientWidth, height }))
    observer.observe(element)
    return () => {
      observer.disconnect()
      plot.destroy()
    }
  }, [shape, height, least, theme])
  useEffect(() => chart.current?.setData(data), [data])
  return (
    <figure aria-label={label} className="min-w-0">
      <div ref={holder} />
      <figcaption className="flex flex-wrap gap-3 text-[11px] text-muted">
        {series.map((each) => (
          <span key={each.label} className="inline-flex items-center gap-1">
            <span aria-hidden className="h-0.5 w-3 rounded" style={{ background: each.colour }} />
            {each.label}
          </span>
        ))}
      </figcaption>
    </figure>
  )
}
