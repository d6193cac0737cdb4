// Which dead letters: conditions as people type them, `cause=HANDLER_REFUSED`, `tenant!=acme`, `age>1h`.
import { parseDuration } from '../../lib/units.ts'
import { causeOf, type DeadLetter } from './dead-letters.ts'

const fields: Readonly<Record<string, (letter: DeadLetter) => string>> = {
  cause: ({ code, reason }) => `${code}: ${reason}`,
  code: ({ code }) => code,
  tenant: ({ tenant }) => tenant,
  group: ({ group }) => group,
  source: ({ source = '' }) => source,
  key: ({ key }) => key,
  id: ({ id }) => id,
}

export const selectionHelp = `cause, code, tenant, group, source, key or id with = != ~ (contains), and age with < >`

type Test = (letter: DeadLetter, now: number) => boolean

/** A comma or an `and` inside a value, of a cause for example, begins nothing. */
const nextCondition = /(?:\s*,\s*|\s+and\s+)(?=\w+\s*(?:!=|=|~|<|>))/

/** All conditions must hold. A sentence instead of a function where one does not parse. */
export function parseSelection(conditions: readonly string[]): Test | { readonly problem: string } {
  const tests: Test[] = []
  for (const condition of conditions.flatMap((text) => text.split(nextCondition))) {
    const test = parseCondition(condition)
    if (!test) return { problem: `cannot read the condition "${condition}": write ${selectionHelp}` }
    tests.push(test)
  }
  return (letter, now) => tests.every((test) => test(letter, now))
}

function parseCondition(text: string): Test | undefined {
  const [, name = '', operator, value = ''] = /^(\w+)\s*(!=|=|~|<|>)\s*(.+)$/.exec(text.trim()) ?? []
  if (name === 'age') {
    const ms = parseDuration(value)
    if (ms === undefined || (operator !== '<' && operator !== '>')) return undefined
    return ({ sentAt }, now) => (operator === '>' ? now - sentAt > ms : now - sentAt < ms)
  }
  const of = Object.hasOwn(fields, name) ? fields[name] : undefined
  if (!of) return undefined
  // `cause=HANDLER_REFUSED` means the code, `cause=HANDLER_REFUSED: unknown unit #` what `dlq ls` prints.
  const isCause = (letter: DeadLetter) => letter.code === value || causeOf(letter) === value
  const equal = (letter: DeadLetter) => of(letter) === value || (name === 'cause' && isCause(letter))
  if (operator === '=') return equal
  if (operator === '!=') return (letter) => !equal(letter)
  return operator === '~' ? (letter) => of(letter).includes(value) : undefined
}
