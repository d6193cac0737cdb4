// The Condition element: IAM's operators as one table, and what is true when a key is missing or has several values.
import { BlockList, isIP } from 'node:net'
import { nearest } from '../../lib/nearest.ts'
import { compileKey, type Fact, type PolicyContext, parseTemplate } from './policy-variables.ts'
import { compilePattern, type Matcher, type Piece, patternText } from './wildcards.ts'

interface Operator {
  /** True when no listed value may match, such as StringNotEquals. */
  readonly negated: boolean
  /** The test for one listed value; undefined when the value cannot be one of this type. */
  readonly compile: (expected: readonly Piece[]) => Matcher | undefined
}

type Compile = Operator['compile']

const is = (compile: Compile): Operator => ({ negated: false, compile })
const isNot = (compile: Compile): Operator => ({ negated: true, compile })

const same: Compile = (expected) => {
  const wanted = patternText(expected)
  return (actual) => actual === wanted
}

const sameIgnoringCase: Compile = (expected) => {
  const wanted = patternText(expected).toLowerCase()
  return (actual) => actual.toLowerCase() === wanted
}

const ordered =
  (parse: (text: string) => number | undefined, holds: (actual: number, wanted: number) => boolean): Compile =>
  (expected) => {
    const wanted = parse(patternText(expected))
    if (wanted === undefined) return undefined
    return (actual) => {
      const value = parse(actual)
      return value !== undefined && holds(value, wanted)
    }
  }

const comparisons = {
  Equals: (actual: number, wanted: number) => actual === wanted,
  LessThan: (actual: number, wanted: number) => actual < wanted,
  LessThanEquals: (actual: number, wanted: number) => actual <= wanted,
  GreaterThan: (actual: number, wanted: number) => actual > wanted,
  GreaterThanEquals: (actual: number, wanted: number) => actual >= wanted,
} as const

function toNumber(text: string): number | undefined {
  return /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : undefined
}

/** ISO 8601 in the W3C profile, or seconds since the epoch [IAM condition operators]; the answer is in milliseconds. */
function toInstant(text: string): number | undefined {
  if (/^-?\d+(\.\d+)?$/.test(text) && !/^\d{4}$/.test(text)) return Number(text) * 1_000
  const ms = /^\d{4}(-\d{2}(-\d{2}(T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2}))?)?)?$/.test(text) ? Date.parse(text) : Number.NaN
  return Number.isNaN(ms) ? undefined : ms
}

const truth: Compile = (expected) => {
  const wanted = patternText(expected).toLowerCase()
  return wanted === 'true' || wanted === 'false' ? (actual) => actual.toLowerCase() === wanted : undefined
}

/** Base64 on both sides; the bytes are compared. */
const bytes: Compile = (expected) => {
  const text = patternText(expected)
  if (!/^[A-Za-z0-9+/]*={0,2}$/.test(text)) return undefined
  const wanted = Buffer.from(text, 'base64')
  return (actual) => Buffer.from(actual, 'base64').equals(wanted)
}

/** One address or a CIDR block, IPv4 or IPv6. */
const address: Compile = (expected) => {
  const [network = '', bits, ...more] = patternText(expected).split('/')
  const version = isIP(network)
  const longest = version === 6 ? 128 : 32
  const prefix = bits === undefined ? longest : /^\d{1,3}$/.test(bits) ? Number(bits) : Number.NaN
  if (version === 0 || more.length > 0 || !(prefix <= longest)) return undefined
  const block = new BlockList()
  block.addSubnet(network, prefix, version === 6 ? 'ipv6' : 'ipv4')
  return (actual) => isIP(actual) !== 0 && block.check(actual, isIP(actual) === 6 ? 'ipv6' : 'ipv4')
}

/** Each of the six parts of an ARN is matched by itself; only the last may hold colons [IAM condition operators]. */
const arn: Compile = (expected) => {
  const parts = arnParts(expected)
  if (parts.length !== 6) return undefined
  const matchers = parts.map(compilePattern)
  return (actual) => {
    const found = arnParts([actual])
    return found.length === 6 && matchers.every((matches, i) => matches(patternText(found[i]!)))
  }
}

function arnParts(pieces: readonly Piece[]): readonly (readonly Piece[])[] {
  const parts: Piece[][] = [[]]
  for (const piece of pieces) {
    if (typeof piece !== 'string') {
      parts.at(-1)!.push(piece)
      continue
    }
    const room = 6 - parts.length
    const split = piece.split(':')
    const texts = [...split.slice(0, room), split.slice(room).join(':')].slice(0, split.length)
    parts.at(-1)!.push(texts[0]!)
    for (const text of texts.slice(1)) parts.push([text])
  }
  return parts
}

export const operators: Readonly<Record<string, Operator>> = {
  StringEquals: is(same),
  StringNotEquals: isNot(same),
  StringEqualsIgnoreCase: is(sameIgnoringCase),
  StringNotEqualsIgnoreCase: isNot(sameIgnoringCase),
  StringLike: is(compilePattern),
  StringNotLike: isNot(compilePattern),
  NumericEquals: is(ordered(toNumber, comparisons.Equals)),
  NumericNotEquals: isNot(ordered(toNumber, comparisons.Equals)),
  NumericLessThan: is(ordered(toNumber, comparisons.LessThan)),
  NumericLessThanEquals: is(ordered(toNumber, comparisons.LessThanEquals)),
  NumericGreaterThan: is(ordered(toNumber, comparisons.GreaterThan)),
  NumericGreaterThanEquals: is(ordered(toNumber, comparisons.GreaterThanEquals)),
  DateEquals: is(ordered(toInstant, comparisons.Equals)),
  DateNotEquals: isNot(ordered(toInstant, comparisons.Equals)),
  DateLessThan: is(ordered(toInstant, comparisons.LessThan)),
  DateLessThanEquals: is(ordered(toInstant, comparisons.LessThanEquals)),
  DateGreaterThan: is(ordered(toInstant, comparisons.GreaterThan)),
  DateGreaterThanEquals: is(ordered(toInstant, comparisons.GreaterThanEquals)),
  Bool: is(truth),
  BinaryEquals: is(bytes),
  IpAddress: is(address),
  NotIpAddress: isNot(address),
  ArnEquals: is(arn),
  ArnLike: is(arn),
  ArnNotEquals: isNot(arn),
  ArnNotLike: isNot(arn),
}

/** Whether a key is missing at all. */
const nullOperator = 'Null'

interface Named {
  readonly quantifier: 'ForAllValues' | 'ForAnyValue' | undefined
  readonly name: string
  readonly operator: Operator
  readonly ifExists: boolean
}

/** `ForAllValues:StringEqualsIfExists` in its three parts; undefined when there is no such operator. */
function parseOperator(text: string): Named | undefined {
  const [, quantifier, name = '', ifExists] = /^(?:(ForAllValues|ForAnyValue):)?([A-Za-z]+?)(IfExists)?$/.exec(text) ?? []
  const bare = quantifier === undefined && ifExists === undefined
  const operator = name === nullOperator && bare ? is(truth) : Object.hasOwn(operators, name) ? operators[name] : undefined
  return operator && { quantifier: quantifier as Named['quantifier'], name, operator, ifExists: ifExists !== undefined }
}

/** The name of every operator, for people who misspelt one. */
export const operatorNames: readonly string[] = [...Object.keys(operators), nullOperator]

/** What is wrong with an operator or with one of its listed values, or undefined. Values with variables are known only later. */
export function conditionProblem(operatorText: string, values: readonly string[]): string | undefined {
  const named = parseOperator(operatorText)
  if (!named) {
    const meant = nearest(operatorText, operatorNames)
    return `condition operator ${operatorText} does not exist${meant ? `; did you mean ${meant}?` : ''}`
  }
  const constants = values.filter((value) => parseTemplate(value).constant)
  const wrong = constants.find((value) => named.operator.compile(parseTemplate(value).resolve({})!) === undefined)
  return wrong === undefined ? undefined : `${JSON.stringify(wrong)} is not a value for ${operatorText}`
}

export interface Condition {
  readonly holds: (context: PolicyContext) => boolean
  readonly volatile: boolean
}

/** One operator on one key. The effect decides what an unresolved variable under a negated operator means: never more access. */
export function compileCondition(operatorText: string, keyName: string, values: readonly string[], effect: 'Allow' | 'Deny'): Condition {
  const named = parseOperator(operatorText)
  if (!named) throw new Error(conditionProblem(operatorText, values))
  const key = compileKey(keyName)
  const templates = values.map(parseTemplate)
  const volatile = key.volatile || templates.some((template) => template.volatile)
  if (named.name === nullOperator) {
    const missing = values.some((value) => value.toLowerCase() === 'true')
    return { volatile, holds: (context) => (listOf(key.read(context)).length === 0) === missing }
  }
  const { negated, compile } = named.operator
  const compiled = templates.map(({ constant, resolve }) => {
    const toMatcher = (context: PolicyContext) => {
      const pieces = resolve(context)
      return pieces && compile(pieces)
    }
    if (!constant) return toMatcher
    const matcher = toMatcher({})
    return () => matcher
  })
  return {
    volatile,
    holds(context) {
      const matchers = compiled.map((toMatcher) => toMatcher(context))
      if (negated && effect === 'Allow' && matchers.includes(undefined)) return false
      const matches = (actual: string) => matchers.some((matcher) => matcher?.(actual)) !== negated
      return decide(named, listOf(key.read(context)), matches)
    },
  }
}

/** [IAM multi-valued keys]: ForAllValues is true and ForAnyValue false when there is no value at all. */
function decide({ quantifier, operator, ifExists }: Named, actuals: readonly string[], matches: Matcher): boolean {
  if (actuals.length === 0) return ifExists || quantifier === 'ForAllValues' || (quantifier === undefined && operator.negated)
  const all = quantifier === 'ForAllValues' || (quantifier === undefined && operator.negated)
  return all ? actuals.every(matches) : actuals.some(matches)
}

const listOf = (fact: Fact): readonly string[] => (fact === undefined ? [] : typeof fact === 'string' ? [fact] : fact)
