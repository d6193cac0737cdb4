import { describe, expect, test } from 'vitest'
import { castExamples } from '../../../../../gateway/rules/sql/functions/cast.ts'
import { families } from '../../../../../gateway/rules/sql/functions/index.ts'
import type { FunctionTable } from '../../../../../gateway/rules/sql/functions/table.ts'
import { createScope } from '../../../../../gateway/rules/sql/scope.ts'
import { compileStatement } from '../../../../../gateway/rules/sql/statement.ts'
import { equals } from '../../../../../gateway/rules/sql/value.ts'
import { createMessage } from '../../../../helpers/message.ts'

function evaluate(expression: string) {
  return compileStatement(`SELECT ${expression} AS r`).inspect(createScope(createMessage(), { accountId: '123456789012' })).values.r
}

/** Examples are SQL on both sides; `undefined` stands for the value that has no literal. */
function check([call, result]: readonly [string, string]): void {
  const actual = evaluate(call)
  if (result === 'undefined') expect(actual).toBeUndefined()
  else expect(equals(actual, evaluate(result)), `${call} is ${JSON.stringify(actual)}`).toBe(true)
}

describe.each(Object.entries(families as Record<string, FunctionTable>))('%s', (_family, table) => {
  test.each(Object.entries(table))('%s does what its examples say', (_name, { examples }) => {
    examples.forEach(check)
  })
})

test.each(castExamples)('%s is %s', (call, result) => check([call, result]))

describe('a wrong number of arguments is Undefined, and a warning', () => {
  test.each(['abs()', 'abs(1, 2)', 'concat()', "get('a')", 'topic(1, 2)', 'get_or_default()'])('%s', (call) => {
    expect(evaluate(call)).toBeUndefined()
    const { warnings } = compileStatement(`SELECT ${call} AS r`)
    expect(warnings.length).toBe(call === 'concat()' ? 0 : 1)
  })
})
