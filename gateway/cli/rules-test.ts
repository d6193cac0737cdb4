// `weir rules test`: the cases of a directory, with a diff where one fails.
import { diff } from 'node:util'
import { Command } from 'commander'
import { type FixtureResult, runFixtures } from '../rules/fixtures.ts'

const examples = `
A case is a folder: rule.json (a rule, or {"file": "path/to/rule.json"}), in/<name>.json and out/<name>.json.

  in/hot.json    {"topic": "dt/coldchain/acme/truck-1/f-1/telemetry", "payload": {"temperature": -3}}
  out/hot.json   {"output": {"temperature": -3}, "actions": [{"sqs": {"queueUrl": "alerts"}}]}   or   {"match": false}

Examples:
  $ weir rules test                 the cases in test/cases/rules
  $ weir rules test my-rules --json`

export function testCommand(print: (line: string) => void): Command {
  return new Command('test')
    .description('Run a directory of cases; exit code 1 when one fails.')
    .argument('[dir]', 'a folder of cases', 'test/cases/rules')
    .option('--json', 'print one JSON document')
    .addHelpText('after', examples)
    .action(async (dir: string, { json }: { readonly json?: true }) => {
      const results = await runFixtures(dir)
      const failed = results.filter(({ passed }) => !passed)
      if (json) print(JSON.stringify({ passed: results.length - failed.length, failed: failed.length, results }))
      else for (const line of report(results, failed.length)) print(line)
      process.exitCode = failed.length === 0 ? 0 : 1
    })
}

function report(results: readonly FixtureResult[], failed: number): readonly string[] {
  const lines = results.flatMap((result) => (result.passed ? [`✓ ${result.name}`] : [`✗ ${result.name}`, ...difference(result)]))
  return [...lines, '', `${results.length - failed} passed, ${failed} failed`]
}

/** What was expected and did not come is marked -, what came instead +. */
function difference({ expected, actual }: FixtureResult): readonly string[] {
  const lines = (value: unknown) => JSON.stringify(sorted(value), undefined, 2).split('\n')
  const marks = { '-1': '-', '0': ' ', '1': '+' } as const
  return diff(lines(actual), lines(expected)).map(([side, line]) => `    ${marks[`${side}`]} ${line}`)
}

function sorted(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(sorted)
  if (value === null || typeof value !== 'object') return value
  return Object.fromEntries(
    Object.entries(value)
      .sort(([a], [b]) => (a < b ? -1 : 1))
      .map(([key, item]) => [key, sorted(item)]),
  )
}
