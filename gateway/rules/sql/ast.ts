// The tree of a statement: what the parser makes, and all that the printer and the compiler know of the text.
import type { Value } from './value.ts'

/** Versions of AWS IoT SQL, oldest first [AWS iot-rule-sql-version]. */
export const sqlVersions = ['2015-10-08', '2016-03-23', 'beta'] as const
export type SqlVersion = (typeof sqlVersions)[number]

interface Node {
  /** Offset of the first character in the statement. */
  readonly pos: number
}

export type BinaryOperator = 'OR' | 'AND' | '=' | '<>' | '<' | '<=' | '>' | '>=' | 'IN' | '+' | '-' | '*' | '/' | '%'

export interface Literal extends Node {
  readonly kind: 'literal'
  readonly value: Value
  /** A number as it was written: `10.0` is a Decimal in one SQL version and an Int in the next. */
  readonly number?: string
}
/** `*`: the whole payload. */
export interface Star extends Node {
  readonly kind: 'star'
}
export interface Name extends Node {
  readonly kind: 'name'
  readonly name: string
}
/** `@name`, set by the SET clause. */
export interface Variable extends Node {
  readonly kind: 'variable'
  readonly name: string
}
export interface Member extends Node {
  readonly kind: 'member'
  readonly object: Expression
  readonly name: string
}
export interface Call extends Node {
  readonly kind: 'call'
  /** As written; function names are case insensitive. */
  readonly name: string
  readonly args: readonly Expression[]
}
export interface Cast extends Node {
  readonly kind: 'cast'
  readonly operand: Expression
  readonly type: string
}
export interface Unary extends Node {
  readonly kind: 'unary'
  readonly operator: 'NOT' | '-'
  readonly operand: Expression
}
export interface Binary extends Node {
  readonly kind: 'binary'
  readonly operator: BinaryOperator
  readonly left: Expression
  readonly right: Expression
}
export interface Case extends Node {
  readonly kind: 'case'
  readonly subject: Expression
  readonly branches: readonly { readonly when: Expression; readonly result: Expression }[]
  readonly otherwise?: Expression
}
export interface ArrayLiteral extends Node {
  readonly kind: 'array'
  readonly items: readonly Expression[]
}
export interface ObjectLiteral extends Node {
  readonly kind: 'object'
  readonly members: readonly { readonly key: string; readonly value: Expression }[]
}
/** `(SELECT … FROM path AS name WHERE …)`, or the same behind EXISTS. */
export interface Query extends Node {
  readonly kind: 'query' | 'exists'
  readonly select: Select
  readonly source: Expression
  readonly alias?: string
}

export type Expression =
  | Literal
  | Star
  | Name
  | Variable
  | Member
  | Call
  | Cast
  | Unary
  | Binary
  | Case
  | ArrayLiteral
  | ObjectLiteral
  | Query

export interface Item extends Node {
  readonly expression: Expression
  /** `AS a.b` is `['a', 'b']`: a dotted alias nests the output. */
  readonly alias?: readonly string[]
}

export interface Select {
  /** SELECT VALUE: the one item is the output itself. */
  readonly value: boolean
  readonly items: readonly Item[]
  readonly where?: Expression
}

export interface Assignment extends Node {
  readonly name: string
  readonly expression: Expression
}

export interface StatementTree {
  readonly set: readonly Assignment[]
  readonly select: Select
  /** The topic filter of FROM; absent in a statement for Basic Ingest only. */
  readonly filter?: { readonly text: string; readonly pos: number }
}

const none: readonly Expression[] = []

/** The direct parts of an expression, in the order of the text. */
export function children(node: Expression): readonly Expression[] {
  switch (node.kind) {
    case 'literal':
    case 'star':
    case 'name':
    case 'variable':
      return none
    case 'member':
      return [node.object]
    case 'call':
      return node.args
    case 'cast':
    case 'unary':
      return [node.operand]
    case 'binary':
      return [node.left, node.right]
    case 'case':
      return [node.subject, ...node.branches.flatMap(({ when, result }) => [when, result]), ...(node.otherwise ? [node.otherwise] : [])]
    case 'array':
      return node.items
    case 'object':
      return node.members.map(({ value }) => value)
    case 'query':
    case 'exists':
      return [...partsOf(node.select), node.source]
    default:
      return node satisfies never
  }
}

function partsOf({ items, where }: Select): readonly Expression[] {
  return [...items.map(({ expression }) => expression), ...(where ? [where] : [])]
}

/** An expression and everything inside it, outermost first. */
export function nodesIn(node: Expression): readonly Expression[] {
  return [node, ...children(node).flatMap(nodesIn)]
}

/** The outermost expressions of a statement. */
export function expressionsOf({ set, select }: StatementTree): readonly Expression[] {
  return [...set.map(({ expression }) => expression), ...partsOf(select)]
}
