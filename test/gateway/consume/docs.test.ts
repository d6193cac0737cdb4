// docs/consume.md is true where it can be checked: its configurations load, and its commands exist with the flags it uses.
import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { expect, test } from 'vitest'
import { backlogCommand } from '../../../gateway/cli/backlog.ts'
import { consumeCommand } from '../../../gateway/cli/consume.ts'
import { dlqCommand } from '../../../gateway/cli/dlq.ts'
import { fairnessCommand } from '../../../gateway/cli/fairness.ts'
import { orderingCommand } from '../../../gateway/cli/ordering.ts'
import { tenantsCommand } from '../../../gateway/cli/tenants.ts'
import { parseConfig } from '../../../gateway/config.ts'

const page = readFileSync('docs/consume.md', 'utf8')
const blocks = (language: string) => [...page.matchAll(new RegExp(`^\`\`\`${language}\\n(.*?)^\`\`\``, 'gms'))].map(([, text]) => text!)

const commands: Readonly<Record<string, Command>> = {
  backlog: backlogCommand(),
  consume: consumeCommand(),
  dlq: dlqCommand(),
  fairness: fairnessCommand(),
  ordering: orderingCommand(),
  tenants: tenantsCommand(),
}

test.each(blocks('json'))('a configuration loads: %s', (text) => {
  expect(parseConfig(JSON.parse(text)).consumers).toHaveLength(1)
})

const lines = blocks('sh').flatMap((text) => text.match(/(?<=^\$ weir ).+$/gm) ?? [])

test('every command of the room is shown', () => {
  expect(new Set(lines.map((line) => line.split(' ', 1)[0]))).toEqual(new Set(Object.keys(commands)))
})

test.each(lines)('weir %s', (line) => {
  const [name = '', second = ''] = line.split(' ')
  const outer = commands[name]!
  const command = outer.commands.find((inner) => inner.name() === second) ?? outer
  const flags = line.match(/(?<= )--[\w-]+/g) ?? []
  expect(command.options.map(({ long }) => long)).toEqual(expect.arrayContaining(flags))
})
