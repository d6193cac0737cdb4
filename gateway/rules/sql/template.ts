// Substitution templates: text with `${expression}` in it, as the parameters of actions have [AWS iot-substitution-templates].
import { GatewayError } from '../../errors.ts'
import type { SqlVersion } from './ast.ts'
import { compileExpression } from './compile.ts'
import { isFixed, keysIn } from './dependencies.ts'
import type { Evaluate } from './evaluate.ts'
import { perTopic } from './fast/per-topic.ts'
import { parseTemplateExpression } from './parse.ts'
import type { Resolvers } from './resolvers.ts'
import type { Scope } from './scope.ts'
import { createContext, payloadReader, type Statement } from './statement.ts'
import { toText } from './value.ts'
import { beginWork } from './work.ts'

export interface TemplateOptions {
  readonly version?: SqlVersion
  readonly resolvers?: Resolvers
  /** The rule's own statement: its SET variables are visible in its templates, and its version is theirs. */
  readonly statement?: Statement
}

/**
 * Evaluated against the original payload, never against the output of SELECT. A template without a value throws RULE_FAILED: nothing
 * is sent to a half-built topic or queue (U-26). Throws SQL_INVALID where it does not parse.
 */
export function compileTemplate(text: string, options: TemplateOptions = {}): (scope: Scope) => string {
  const version = options.statement?.version ?? options.version ?? '2016-03-23'
  const parts = split(text, version, options)
  const payloadOf = payloadReader(version)
  const literal = parts.every((part) => typeof part === 'string') ? parts.join('') : undefined
  if (literal !== undefined) return () => literal
  const fill = (scope: Scope) => {
    beginWork()
    return parts.map((part) => (typeof part === 'string' ? part : textFor(part, scope))).join('')
  }
  const { fastPaths = true } = options.statement ?? {}
  return fastPaths && parts.every((part) => typeof part === 'string' || part.isFixed) ? perTopic(fill) : fill

  function textFor(part: Part, scope: Scope): string {
    const value = toText(part.evaluate(scope, part.readsPayload ? payloadOf(scope) : undefined))
    if (value === undefined) throw new GatewayError('RULE_FAILED', `the template \${${part.source}} has no value for this message`)
    return value
  }
}

interface Part {
  readonly source: string
  readonly evaluate: Evaluate
  /** false: the payload is not parsed for it. */
  readonly readsPayload: boolean
  /** true: the text is the same for every message of a topic. */
  readonly isFixed: boolean
}

function split(text: string, version: SqlVersion, { resolvers = {}, statement }: TemplateOptions): (string | Part)[] {
  const context = { ...createContext(text, version, { resolvers }, []), variables: statement?.variables ?? new Map<string, Evaluate>() }
  const parts: (string | Part)[] = []
  let pos = 0
  for (let open = text.indexOf('${'); open !== -1; open = text.indexOf('${', pos)) {
    const { expression, end } = parseTemplateExpression(text, open + 2)
    if (open > pos) parts.push(text.slice(pos, open))
    const source = text.slice(open + 2, end - 1).trim()
    const evaluate = compileExpression(expression, context)
    parts.push({ source, evaluate, readsPayload: keysIn(expression)?.length !== 0, isFixed: isFixed(expression) })
    pos = end
  }
  if (pos < text.length) parts.push(text.slice(pos))
  return parts
}
