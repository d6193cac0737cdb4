// Tokens to tree: recursive descent for clauses, precedence climbing for operators. Knows the grammar and no function.
import type { Assignment, BinaryOperator, Case, Expression, Item, ObjectLiteral, Query, Select, StatementTree } from './ast.ts'
import { hint, refuse } from './errors.ts'
import { lex, type Token } from './lex.ts'
import { numberOf } from './number.ts'

/** Local bounds on what a statement may be (U-37). The whole rule may have 128 KB in AWS. */
export const maxStatementLength = 64 * 1024
export const maxNesting = 64
export const maxOperands = 1_000

/** Lowest first [U-2]. NOT stands between AND and the comparisons, unary minus above them all. */
export const precedence: Readonly<Record<BinaryOperator, number>> = {
  OR: 1,
  AND: 2,
  '=': 4,
  '<>': 4,
  '<': 4,
  '<=': 4,
  '>': 4,
  '>=': 4,
  IN: 4,
  '+': 5,
  '-': 5,
  '*': 6,
  '/': 6,
  '%': 6,
}
export const notPrecedence = 3

const clauses = ['SELECT', 'FROM', 'WHERE', 'AS', 'AND', 'OR', 'NOT', 'IN', 'CASE', 'WHEN', 'THEN', 'ELSE', 'END']
const constants: Readonly<Record<string, boolean | null>> = { TRUE: true, FALSE: false, NULL: null }
const reserved: ReadonlySet<string> = new Set([...clauses, ...Object.keys(constants)])
const listHint = 'a list of values is written in brackets: [1, 2]'
const otherSql: Readonly<Record<string, string>> = {
  IS: 'AWS IoT SQL has isNull(x) and isUndefined(x) for that',
  LIKE: 'AWS IoT SQL has regexp_matches(x, pattern), startswith and endswith for that',
  BETWEEN: 'write x >= a AND x <= b',
  NOT: 'write NOT (x IN array)',
  IN: 'write WHERE x IN array',
  GROUP: 'AWS IoT SQL looks at one message at a time',
  ORDER: 'AWS IoT SQL looks at one message at a time',
  LIMIT: 'AWS IoT SQL looks at one message at a time',
  JOIN: 'AWS IoT SQL looks at one message at a time',
}

/** `[SET …] SELECT … [FROM 'filter'] [WHERE …]`. Throws SQL_INVALID with line and column. */
export function parseStatement(sql: string): StatementTree {
  if (sql.length > maxStatementLength) refuse(sql, 0, `a statement has at most ${maxStatementLength} characters`)
  const parser = createParser(sql, lex(sql))
  const tree = parser.statement()
  parser.end()
  return tree
}

/** One expression, as in a template; `start` and `end` are offsets in `text`. */
export function parseTemplateExpression(text: string, start: number): { readonly expression: Expression; readonly end: number } {
  if (text.length > maxStatementLength) refuse(text, 0, `a template has at most ${maxStatementLength} characters`)
  const tokens = lex(text, start, true)
  const end = tokens[tokens.length - 1]!.pos
  if (end >= text.length) refuse(text, start - 2, 'the template that starts here has no closing }')
  const parser = createParser(text, tokens)
  const expression = parser.expression()
  parser.end()
  return { expression, end: end + 1 }
}

function createParser(sql: string, tokens: readonly Token[]) {
  let index = 0
  let nesting = 0
  const peek = (ahead = 0): Token => tokens[Math.min(index + ahead, tokens.length - 1)]!
  const advance = (): Token => {
    const token = peek()
    index++
    return token
  }
  const keywordAt = (ahead: number, keyword: string) => peek(ahead).kind === 'word' && peek(ahead).text.toUpperCase() === keyword
  const symbolAt = (ahead: number, text: string) => peek(ahead).kind === 'symbol' && peek(ahead).text === text
  const takeKeyword = (keyword: string): boolean => keywordAt(0, keyword) && index++ >= 0
  const takeSymbol = (text: string): boolean => symbolAt(0, text) && index++ >= 0
  const shown = (token: Token) => (token.kind === 'end' ? 'the end of the statement' : JSON.stringify(sql.slice(token.pos, token.end)))
  const expected = (what: string, token = peek(), more = ''): never =>
    refuse(sql, token.pos, `expected ${what}, found ${shown(token)}.${more}`.replace(/\.$/, ''))
  const expectSymbol = (text: string) => takeSymbol(text) || expected(JSON.stringify(text))
  const expectKeyword = (keyword: string) => takeKeyword(keyword) || expected(keyword, peek(), misspelled([keyword]))
  /** Nothing for a keyword that is spelled right and stands in the wrong place. */
  const misspelled = (keywords: readonly string[]) =>
    peek().kind === 'word' && !reserved.has(peek().text.toUpperCase()) ? hint(peek().text, keywords) : ''

  function nested<T>(parse: () => T): T {
    if (++nesting > maxNesting) refuse(sql, peek().pos, `expressions nest at most ${maxNesting} deep`)
    const result = parse()
    nesting--
    return result
  }

  function statement(): StatementTree {
    const set = takeKeyword('SET') ? assignments() : []
    const parsed = select(true)
    const from = parsed.from
    return { set, select: parsed.select, ...(from === undefined ? {} : { filter: { text: from.text, pos: from.pos } }) }
  }

  function assignments(): Assignment[] {
    const list: Assignment[] = []
    do {
      const token = peek()
      if (token.kind !== 'variable') expected('a variable such as @name', token)
      advance()
      if (list.some(({ name }) => name === token.text)) refuse(sql, token.pos, `@${token.text} is set twice; a variable never changes`)
      if (list.length === 10) refuse(sql, token.pos, 'SET has at most 10 variables')
      expectSymbol('=')
      list.push({ pos: token.pos, name: token.text, expression: expression() })
    } while (takeSymbol(','))
    if (keywordAt(0, 'SET')) refuse(sql, peek().pos, 'a statement has one SET; separate its variables with commas')
    return list
  }

  /** The outer SELECT has a topic filter behind FROM; a nested one is read up to its FROM by `query`. */
  function select(outer: boolean): { select: Select; from?: Token; source?: Expression; alias?: string } {
    if (!takeKeyword('SELECT')) expected('SELECT', peek(), misspelled(['SELECT', 'SET']))
    const value = valueKeyword() && index++ >= 0
    const items: Item[] = []
    do items.push(item())
    while (takeSymbol(','))
    if (value && items.length > 1) refuse(sql, items[1]!.pos, 'SELECT VALUE takes one item')
    let from: Token | undefined
    let source: Expression | undefined
    let alias: string | undefined
    if (outer ? takeKeyword('FROM') : expectKeyword('FROM')) {
      if (outer) from = peek().kind === 'string' ? advance() : expected('a topic filter in quotes')
      else source = postfix()
      if (!outer && takeKeyword('AS')) alias = plainName('a name')
    }
    const where = takeKeyword('WHERE') ? expression() : undefined
    const clause: Select = { value, items, ...(where === undefined ? {} : { where }) }
    return { select: clause, ...(from && { from }), ...(source && { source }), ...(alias !== undefined && { alias }) }
  }

  /** `value` is also a fine name for a key: it is the keyword only where an item follows it. */
  function valueKeyword(): boolean {
    if (!keywordAt(0, 'VALUE')) return false
    const { kind, text } = peek(1)
    if (kind === 'string' || kind === 'number' || kind === 'variable') return true
    if (kind === 'word') return !reserved.has(text.toUpperCase()) || ['CASE', 'NOT', ...Object.keys(constants)].includes(text.toUpperCase())
    if (text === '*') return peek(2).kind === 'end' || symbolAt(2, ')') || ['FROM', 'WHERE', 'AS'].some((keyword) => keywordAt(2, keyword))
    return (
      text === '(' ||
      text === '[' ||
      text === '{' ||
      (text === '-' && peek(2).kind === 'number' && peek(1).end === peek(2).pos && peek(1).pos > peek().end)
    )
  }

  function item(): Item {
    const pos = peek().pos
    const parsed: Expression = takeSymbol('*') ? { kind: 'star', pos } : expression()
    if (!takeKeyword('AS')) return { pos, expression: parsed }
    const alias = [plainName('an alias')]
    while (takeSymbol('.')) alias.push(plainName('an alias'))
    return { pos, expression: parsed, alias }
  }

  function plainName(what: string): string {
    return peek().kind === 'word' ? advance().text : expected(what)
  }

  function expression(lowest = 1): Expression {
    let left = nested(() => prefix(lowest))
    for (let operands = 1; ; operands++) {
      const operator = binaryOperator()
      if (operator === undefined || precedence[operator] < lowest) return left
      if (operands > maxOperands) refuse(sql, peek().pos, `at most ${maxOperands} operators stand in a row`)
      advance()
      const start = peek()
      const right = expression(precedence[operator] + 1)
      if (operator === 'IN' && start.text === '(' && isScalar(right)) refuse(sql, start.pos, listHint)
      left = { kind: 'binary', pos: left.pos, operator, left, right }
    }
  }

  /** `x IN (1)` is a list in other SQL; here it would be a number, and never match. */
  function isScalar(expression: Expression): boolean {
    const { kind } = expression.kind === 'unary' && expression.operator === '-' ? expression.operand : expression
    return kind === 'literal'
  }

  function binaryOperator(): BinaryOperator | undefined {
    const { kind, text } = peek()
    const operator = kind === 'word' ? text.toUpperCase() : kind === 'symbol' ? text : ''
    return Object.hasOwn(precedence, operator) ? (operator as BinaryOperator) : undefined
  }

  function prefix(lowest: number): Expression {
    const pos = peek().pos
    if (takeKeyword('NOT')) {
      if (lowest > notPrecedence) refuse(sql, pos, 'put NOT and its operand in parentheses here')
      return { kind: 'unary', pos, operator: 'NOT', operand: expression(notPrecedence) }
    }
    if (takeSymbol('-')) return { kind: 'unary', pos, operator: '-', operand: nested(() => prefix(7)) }
    return postfix()
  }

  function postfix(): Expression {
    let object = primary()
    for (let members = 0; takeSymbol('.'); members++) {
      if (members >= maxNesting) refuse(sql, peek().pos, `a path has at most ${maxNesting} members`)
      object = { kind: 'member', pos: object.pos, object, name: plainName('the name of a member') }
    }
    if (symbolAt(0, '[')) refuse(sql, peek().pos, 'an element of an array is written get(array, index)')
    return object
  }

  function primary(): Expression {
    const token = peek()
    const { kind, pos, text } = token
    if (kind === 'word') return worded(token)
    if (kind === 'end' || kind === 'symbol') {
      if (text === '(') return group(pos)
      if (text === '[') return array(pos)
      if (text === '{') return object(pos)
      return expected('an expression', token)
    }
    advance()
    if (kind === 'number') return { kind: 'literal', pos, value: numberOf(text), number: text }
    if (kind === 'variable') return { kind: 'variable', pos, name: text }
    return { kind: 'literal', pos, value: text }
  }

  function worded({ pos, text }: Token): Expression {
    const upper = text.toUpperCase()
    if (upper === 'CASE') return choice(pos)
    if (Object.hasOwn(constants, upper) && advance()) return { kind: 'literal', pos, value: constants[upper]! }
    if (reserved.has(upper)) return expected('an expression')
    if (!symbolAt(1, '(')) {
      advance()
      return { kind: 'name', pos, name: text }
    }
    if (upper === 'EXISTS') {
      advance()
      if (!keywordAt(1, 'SELECT')) expected('SELECT behind EXISTS (', peek(1))
      return { ...(group(pos) as Query), kind: 'exists', pos }
    }
    index += 2
    return upper === 'CAST' ? cast(pos) : { kind: 'call', pos, name: text, args: list(')', argument) }
  }

  function argument(): Expression {
    const pos = peek().pos
    return symbolAt(0, '*') && (symbolAt(1, ',') || symbolAt(1, ')')) && advance() ? { kind: 'star', pos } : expression()
  }

  function cast(pos: number): Expression {
    const operand = expression()
    expectKeyword('AS')
    const type = plainName('a type')
    expectSymbol(')')
    return { kind: 'cast', pos, operand, type }
  }

  function group(pos: number): Expression {
    expectSymbol('(')
    if (symbolAt(0, ')')) refuse(sql, pos, listHint)
    const inner = keywordAt(0, 'SELECT') ? nested(() => query(pos)) : expression()
    if (symbolAt(0, ',')) refuse(sql, pos, listHint)
    expectSymbol(')')
    return inner
  }

  function query(pos: number): Query {
    const { select: clause, source, alias } = select(false)
    return { kind: 'query', pos, select: clause, source: source!, ...(alias === undefined ? {} : { alias }) }
  }

  function choice(pos: number): Case {
    advance()
    if (keywordAt(0, 'WHEN')) refuse(sql, peek().pos, 'expected a value behind CASE: only CASE value WHEN constant THEN result exists')
    const subject = expression()
    const branches: { when: Expression; result: Expression }[] = []
    while (takeKeyword('WHEN')) {
      const when = expression()
      expectKeyword('THEN')
      branches.push({ when, result: expression() })
    }
    if (branches.length === 0) expected('WHEN', peek(), misspelled(['WHEN']))
    const otherwise = takeKeyword('ELSE') ? expression() : undefined
    expectKeyword('END')
    return { kind: 'case', pos, subject, branches, ...(otherwise === undefined ? {} : { otherwise }) }
  }

  function array(pos: number): Expression {
    advance()
    return { kind: 'array', pos, items: list(']', () => expression()) }
  }

  function object(pos: number): ObjectLiteral {
    advance()
    const member = () => {
      const key = peek().kind === 'string' ? advance().text : expected('a key in quotes')
      expectSymbol(':')
      return { key, value: expression() }
    }
    return { kind: 'object', pos, members: list('}', member) }
  }

  function list<T>(close: string, parse: () => T): T[] {
    const items: T[] = []
    if (takeSymbol(close)) return items
    do {
      if (items.length > 0 && symbolAt(0, close)) refuse(sql, peek().pos, `expected another element after the comma, found "${close}"`)
      items.push(parse())
    } while (takeSymbol(','))
    expectSymbol(close)
    return items
  }

  function end(): void {
    const token = peek()
    if (token.kind === 'end') return
    const known = token.kind === 'word' ? otherSql[token.text.toUpperCase()] : undefined
    if (known !== undefined) refuse(sql, token.pos, `${token.text.toUpperCase()} is not part of AWS IoT SQL here; ${known}`)
    expected('the end of the statement', token, misspelled(clauses))
  }

  return { statement, expression: () => expression(), end }
}
