import fc from 'fast-check'
import { expect, test } from 'vitest'
import { parseStatement } from '../../../../gateway/rules/sql/parse.ts'
import { printStatement } from '../../../../gateway/rules/sql/print.ts'
import { statementTree, withoutPlaces } from '../../../helpers/sql-trees.ts'

test('what is printed parses to the same tree', () => {
  fc.assert(
    fc.property(statementTree, (tree) => {
      expect(withoutPlaces(parseStatement(printStatement(tree)))).toEqual(withoutPlaces(tree))
    }),
    { numRuns: 1_000 },
  )
})

test.each([
  ["select color as rgb from 'a/b' where t>50 and not(c='red')", "SELECT color AS rgb FROM 'a/b' WHERE t > 50 AND NOT c = 'red'"],
  ["SELECT VALUE (a - 32) * 5 / 9 FROM 'a'", "SELECT VALUE (a - 32) * 5 / 9 FROM 'a'"],
  ["SELECT a - (b - c) AS x, - -1 AS y FROM 'a'", "SELECT a - (b - c) AS x, -(-1) AS y FROM 'a'"],
  [`SELECT "it's" AS x FROM "a"`, "SELECT 'it''s' AS x FROM 'a'"],
])('%s', (sql, printed) => {
  expect(printStatement(parseStatement(sql))).toBe(printed)
})
