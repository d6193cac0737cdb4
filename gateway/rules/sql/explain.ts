// Takes a statement apart for people: its tokens, its tree, and what each part was worth on a message.
import { bytesOf } from '../../message/body.ts'
import type { Message } from '../../message/message.ts'
import { matches } from '../topic/filter.ts'
import type { Expression, SqlVersion } from './ast.ts'
import { lex, type Token } from './lex.ts'
import { printExpression, printStatement } from './print.ts'
import { createScope } from './scope.ts'
import { compileStatement } from './statement.ts'
import { typeOf, type Value } from './value.ts'

export interface ExplainOptions {
  readonly version?: SqlVersion
  /** Without one, the statement is only taken apart. */
  readonly message?: Pick<Message, 'topic' | 'payload'> & { readonly clientId: string }
}

export interface Step {
  readonly expression: string
  readonly type: string
  /** JSON text; absent for Undefined. */
  readonly value?: string
}

export interface Explanation {
  readonly text: string
  readonly json: {
    readonly statement: string
    readonly tokens: readonly Token[]
    readonly tree: unknown
    readonly warnings: readonly string[]
    readonly matches?: boolean
    readonly steps?: readonly Step[]
    readonly output?: string
  }
}

/** Throws SQL_INVALID for a statement that does not compile. */
export function explain(sql: string, { version = '2016-03-23', message }: ExplainOptions = {}): Explanation {
  const steps: Step[] = []
  const statement = compileStatement(sql, { version, trace: (node, value) => record(steps, node, value) })
  const tokens = lex(sql)
  const { tree, warnings, filter } = statement
  const parts = { statement: printStatement(tree), tokens, tree, warnings }
  const lines = [
    `statement  ${parts.statement}`,
    `tokens     ${tokens.map(({ kind, text }) => (kind === 'end' ? 'end' : `${kind}:${text}`)).join(' ')}`,
    'tree',
    ...outline(tree, '  '),
    ...warnings.map((warning) => `warning    ${warning}`),
  ]
  if (message === undefined) return { text: lines.join('\n'), json: parts }
  const full: Message = {
    id: 'explain',
    topic: message.topic,
    payload: message.payload,
    qos: 0,
    retain: false,
    receivedAt: 0,
    source: { clientId: message.clientId, transport: 'mqtt' },
    hops: 0,
  }
  const covered = filter === undefined || matches(filter, message.topic)
  const body = covered ? statement.evaluate(createScope(full, { accountId: '000000000000' })) : undefined
  const output = body && bytesOf(body).toString()
  lines.push(
    `topic      ${message.topic} ${covered ? 'is covered by' : 'is not covered by'} ${filter ?? 'no FROM: Basic Ingest only'}`,
    ...(covered
      ? [
          'steps',
          ...steps.map(({ expression, type, value }) => `  ${expression}  →  ${value ?? ''}${value === undefined ? '' : '  '}${type}`),
        ]
      : []),
    `output     ${output ?? (covered ? 'none: WHERE is not true' : 'none')}`,
  )
  return { text: lines.join('\n'), json: { ...parts, matches: covered, steps, ...(output !== undefined && { output }) } }
}

function record(steps: Step[], node: Expression, value: Value): void {
  if (node.kind === 'literal') return
  const text = JSON.stringify(value)
  steps.push({ expression: printExpression(node), type: typeOf(value), ...(text !== undefined && { value: text }) })
}

/** Any node as indented lines: its kind and plain properties first, its parts below. */
function outline(node: object, indent: string): string[] {
  const lines: string[] = []
  for (const [key, value] of Object.entries(node)) {
    if (key === 'pos' || value === undefined) continue
    if (typeof value !== 'object' || value === null) {
      if (key !== 'kind') lines.push(`${indent}${key} ${JSON.stringify(value)}`)
    } else if (Array.isArray(value) && value.every((item) => typeof item === 'string')) lines.push(`${indent}${key} ${value.join('.')}`)
    else if (Array.isArray(value))
      for (const item of value as object[]) lines.push(`${indent}${key}${kindOf(item)}`, ...outline(item, `${indent}  `))
    else lines.push(`${indent}${key}${kindOf(value)}`, ...outline(value, `${indent}  `))
  }
  return lines
}

function kindOf(node: object): string {
  return 'kind' in node ? ` (${String(node.kind)})` : ''
}
