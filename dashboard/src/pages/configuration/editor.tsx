/** Edits a file of the configuration: mistakes as one types, then a diff, then it is applied. */
import { yaml } from '@codemirror/lang-yaml'
import { HighlightStyle, syntaxHighlighting } from '@codemirror/language'
import { linter, lintGutter, type Diagnostic } from '@codemirror/lint'
import { unifiedMergeView } from '@codemirror/merge'
import { EditorState, type Extension } from '@codemirror/state'
import { EditorView } from '@codemirror/view'
import { tags } from '@lezer/highlight'
import { basicSetup } from 'codemirror'
import { useEffect, useMemo, useRef, useState } from 'react'
import { orchestrator } from '@/api/client'
import { reason } from '@/data/actions'
import { Button, cx } from '@/design/parts'
import {
  type ConfigurationFile,
  type ConfigurationProblem,
  ProblemSeverity,
  type ServiceChange,
  ServiceChangeType,
} from '@/gen/runtime/v1/configuration_pb'
import type {
  CheckConfigurationResponse,
  GetConfigurationResponse,
} from '@/gen/runtime/v1/orchestrator_pb'
import type { TextKey } from '@/i18n/en'
import { text, useText } from '@/i18n/text'
import { tell } from '@/shell/messages'

const CHANGE_TEXT: Partial<Record<ServiceChangeType, TextKey>> = {
  [ServiceChangeType.ADDED]: 'configuration.change.added',
  [ServiceChangeType.REMOVED]: 'configuration.change.removed',
  [ServiceChangeType.RESTARTED]: 'configuration.change.restarted',
  [ServiceChangeType.UPDATED]: 'configuration.change.updated',
}

const LOOK = EditorView.theme({
  '&': {
    height: '100%',
    fontSize: '13px',
    backgroundColor: 'var(--surface)',
    color: 'var(--text)',
  },
  '.cm-scroller': { fontFamily: 'var(--font-mono)' },
  '.cm-gutters': { backgroundColor: 'var(--sunken)', color: 'var(--faint)', border: 'none' },
  '.cm-activeLine, .cm-activeLineGutter': {
    backgroundColor: 'color-mix(in srgb, var(--accent) 8%, transparent)',
  },
  '.cm-cursor': { borderLeftColor: 'var(--text)' },
  '.cm-tooltip': { backgroundColor: 'var(--raised)', border: '1px solid var(--line)' },
})

const COLOURS = HighlightStyle.define([
  { tag: [tags.definition(tags.propertyName), tags.propertyName], color: 'var(--starting-text)' },
  { tag: [tags.string, tags.content], color: 'var(--text)' },
  { tag: [tags.number, tags.bool, tags.null, tags.keyword], color: 'var(--healthy-text)' },
  { tag: [tags.comment], color: 'var(--faint)', fontStyle: 'italic' },
  { tag: [tags.separator, tags.punctuation, tags.meta], color: 'var(--muted)' },
])

export default function Editor({
  configuration,
  applied,
}: {
  configuration: GetConfigurationResponse
  applied: () => void
}) {
  const t = useText()
  const files = configuration.files
  const [path, setPath] = useState(files[0]?.path ?? '')
  const file = files.find((each) => each.path === path) ?? files[0]!
  const [draft, setDraft] = useState(file.text)
  const [review, setReview] = useState(false)
  const [found, setFound] = useState<CheckConfigurationResponse>()
  const [failure, setFailure] = useState('')
  const edited = useMemo(
    () => files.map((each) => ({ path: each.path, text: each.path === path ? draft : each.text })),
    [files, path, draft],
  )
  useChecks(edited, setFound, setFailure)
  const changed = draft !== file.text
  const apply = async () => {
    try {
      const answer = await orchestrator.applyConfiguration({
        revision: configuration.revision,
        files: edited.filter((each) => each.path === path),
      })
      tell(text('configuration.applied', { revision: String(answer.revision) }))
      setReview(false)
      applied()
    } catch (thrown) {
      setFailure(reason(thrown))
    }
  }
  return (
    <div className="flex min-h-0 flex-1 flex-col gap-3">
      <div className="flex flex-wrap items-center gap-2">
        {files.length > 1 ? (
          <select
            aria-label={t('services.path')}
            value={path}
            onChange={(event) => {
              setPath(event.target.value)
              setDraft(files.find((each) => each.path === event.target.value)?.text ?? '')
            }}
            className="h-8 rounded-control border border-line bg-surface px-2 text-[13px]"
          >
            {files.map((each) => (
              <option key={each.path}>{each.path}</option>
            ))}
          </select>
        ) : (
          <code className="font-mono text-xs text-muted">{path}</code>
        )}
        <span className="flex-1" />
        {review ? (
          <>
            <Button onClick={() => setReview(false)}>{t('configuration.back')}</Button>
            <Button look="solid" disabled={!found?.valid} onClick={() => void apply()}>
              {t('configuration.apply')}
            </Button>
          </>
        ) : (
          <Button look="solid" disabled={!changed || !found?.valid} onClick={() => setReview(true)}>
            {t('configuration.review')}
          </Button>
        )}
      </div>
      <div className="min-h-72 flex-1 overflow-hidden rounded-card border border-line">
        <Code
          key={`${path} ${review} ${configuration.revision}`}
          text={draft}
          original={review ? file.text : undefined}
          problems={
            found?.problems.filter((problem) => problem.file === path || !problem.file) ?? []
          }
          change={setDraft}
        />
      </div>
      {failure && <p className="text-[13px] text-unhealthy-text">{failure}</p>}
      {found && (
        <Findings problems={found.problems} changes={found.changes} showChanges={changed} />
      )}
    </div>
  )
}

/** Asks the runtime what it thinks of the draft, a moment after the last key. */
function useChecks(
  files: readonly { path: string; text: string }[],
  found: (answer: CheckConfigurationResponse) => void,
  failed: (why: string) => void,
): void {
  useEffect(() => {
    const stopped = new AbortController()
    const timer = setTimeout(() => {
      orchestrator
        .checkConfiguration({ files: files as ConfigurationFile[] }, { signal: stopped.signal })
        .then((answer) => {
          found(answer)
          failed('')
        })
        .catch((thrown: unknown) => !stopped.signal.aborted && failed(reason(thrown)))
    }, 250)
    return () => {
      clearTimeout(timer)
      stopped.abort()
    }
  }, [files, found, failed])
}

function Code({
  text: content,
  original,
  problems,
  change,
}: {
  text: string
  original: string | undefined
  problems: readonly ConfigurationProblem[]
  change: (text: string) => void
}) {
  const holder = useRef<HTMLDivElement>(null)
  const view = useRef<EditorView>(undefined)
  const latest = useRef({ problems, change, content })
  latest.current = { problems, change, content }
  useEffect(() => {
    const extensions: Extension[] = [
      basicSetup,
      yaml(),
      syntaxHighlighting(COLOURS),
      LOOK,
      EditorView.lineWrapping,
    ]
    if (original === undefined)
      extensions.push(
        lintGutter(),
        linter((editor) => latest.current.problems.map((problem) => diagnostic(editor, problem)), {
          delay: 100,
        }),
        EditorView.updateListener.of((update) => {
          if (update.docChanged) latest.current.change(update.state.doc.toString())
        }),
        EditorView.contentAttributes.of({ 'aria-label': text('configuration.edit') }),
      )
    else
      extensions.push(
        EditorState.readOnly.of(true),
        unifiedMergeView({ original, mergeControls: false }),
      )
    const editor = new EditorView({
      doc: latest.current.content,
      extensions,
      parent: holder.current!,
    })
    view.current = editor
    return () => editor.destroy()
  }, [original])
  // A transaction of nothing makes the linter look again.
  useEffect(() => view.current?.dispatch({}), [problems])
  return <div ref={holder} className="h-full" />
}

function diagnostic(editor: EditorView, problem: ConfigurationProblem): Diagnostic {
  const { doc } = editor.state
  const line = doc.line(Math.min(Math.max(problem.line, 1), doc.lines))
  const from = Math.min(line.from + Math.max(problem.column - 1, 0), line.to)
  return {
    from,
    to: line.to,
    severity:
      problem.severity === ProblemSeverity.ERROR
        ? 'error'
        : problem.severity === ProblemSeverity.WARNING
          ? 'warning'
          : 'info',
    message: [problem.message, problem.suggestion].filter(Boolean).join('\n'),
  }
}

function Findings({
  problems,
  changes,
  showChanges,
}: {
  problems: readonly ConfigurationProblem[]
  changes: readonly ServiceChange[]
  showChanges: boolean
}) {
  const t = useText()
  return (
    <div className="grid max-h-44 gap-4 overflow-auto text-[13px] md:grid-cols-2">
      <section aria-live="polite">
        <h3 className="text-xs font-semibold text-muted">
          {problems.length
            ? t('configuration.problems', { count: problems.length })
            : t('configuration.valid')}
        </h3>
        <ul>
          {problems.map((problem, at) => (
            <li
              key={at}
              className={cx(
                problem.severity === ProblemSeverity.ERROR
                  ? 'text-unhealthy-text'
                  : 'text-degraded-text',
              )}
            >
              {problem.line}:{problem.column} {problem.message} {problem.suggestion}
            </li>
          ))}
        </ul>
      </section>
      {showChanges && (
        <section>
          <h3 className="text-xs font-semibold text-muted">{t('configuration.changes')}</h3>
          {changes.length === 0 && <p className="text-muted">{t('configuration.noChanges')}</p>}
          <ul>
            {changes.map((change) => (
              <li key={change.serviceName}>
                <strong>{change.serviceName}</strong>{' '}
                {t(CHANGE_TEXT[change.type] ?? 'configuration.change.updated')}
                {change.paths.length > 0 && (
                  <span className="text-muted"> ({change.paths.join(', ')})</span>
                )}
              </li>
            ))}
          </ul>
        </section>
      )}
    </div>
  )
}
