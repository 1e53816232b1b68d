/** The output of a service as a terminal shows it, and what one types back. */
import { FitAddon } from '@xterm/addon-fit'
import { Terminal } from '@xterm/xterm'
import '@xterm/xterm/css/xterm.css'
import { useEffect, useRef, useState } from 'react'
import { orchestrator } from '@/api/client'
import { watch } from '@/api/watch'
import { reason } from '@/data/actions'
import { useSettings } from '@/data/settings'
import type { AttachOutputResponse } from '@/gen/runtime/v1/orchestrator_pb'
import type { ServiceStatus } from '@/gen/runtime/v1/service_pb'
import { useText } from '@/i18n/text'

const ENCODER = new TextEncoder()

export default function Output({ service }: { service: ServiceStatus }) {
  const t = useText()
  const holder = useRef<HTMLDivElement>(null)
  const [refused, setRefused] = useState('')
  const theme = useSettings((settings) => settings.theme)
  const { name, tty } = service
  useEffect(() => {
    const element = holder.current
    if (!element) return
    const terminal = newTerminal(tty)
    const fit = new FitAddon()
    terminal.loadAddon(fit)
    terminal.open(element)
    const typing = new Typing(name, setRefused)
    const stopInput = terminal.onData((data) => typing.type(data))
    const observer = new ResizeObserver(() => {
      fit.fit()
      if (tty)
        void orchestrator
          .resizeTerminal({ serviceName: name, columns: terminal.cols, rows: terminal.rows })
          .catch(() => undefined) // its old size is no harm
    })
    observer.observe(element)
    const stop = follow(name, terminal, setRefused)
    return () => {
      stop()
      observer.disconnect()
      stopInput.dispose()
      terminal.dispose()
    }
  }, [name, tty, theme])
  return (
    <div className="flex min-h-80 flex-1 flex-col gap-2">
      <p className="text-xs text-muted" role="status">
        {refused || (tty ? t('services.outputHint') : t('services.outputReadOnly'))}
      </p>
      <div
        ref={holder}
        data-output={name}
        className="min-h-0 flex-1 overflow-hidden rounded-card border border-line bg-[#0d0f13] p-2"
      />
    </div>
  )
}

function newTerminal(tty: boolean): Terminal {
  return new Terminal({
    convertEol: !tty,
    cursorBlink: tty,
    disableStdin: false,
    fontSize: 12.5,
    fontFamily: 'ui-monospace, "JetBrains Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace',
    scrollback: 20_000,
    screenReaderMode: false,
    theme: { background: '#0d0f13', foreground: '#d7dae0' },
  })
}

/** Follows the output, over restarts of service and runtime, without repeating what was shown. */
function follow(name: string, terminal: Terminal, refused: (why: string) => void): () => void {
  const seen = new Map<string, bigint>()
  return watch<AttachOutputResponse>({
    open: (signal) => orchestrator.attachOutput({ serviceName: name }, { signal }),
    take: (piece) => {
      const key = `${piece.instanceId.replace(/\.\d+$/, '')} ${piece.stream}`
      const end = piece.offset + BigInt(piece.data.length)
      const known = seen.get(key) ?? 0n
      if (end <= known) return
      const skip = piece.offset < known ? Number(known - piece.offset) : 0
      seen.set(key, end)
      terminal.write(skip ? piece.data.subarray(skip) : piece.data)
    },
    refused: (error) => refused(error.rawMessage),
  })
}

/** Sends what is typed, one piece after the other, so that their order holds. */
class Typing {
  private waiting = ''
  private sending = false

  constructor(
    private readonly serviceName: string,
    private readonly refused: (why: string) => void,
  ) {}

  type(data: string): void {
    this.waiting += data
    if (!this.sending) void this.send()
  }

  private async send(): Promise<void> {
    this.sending = true
    while (this.waiting) {
      const data = ENCODER.encode(this.waiting)
      this.waiting = ''
      try {
        await orchestrator.sendInput({ serviceName: this.serviceName, data })
        this.refused('')
      } catch (thrown) {
        this.refused(reason(thrown))
      }
    }
    this.sending = false
  }
}
