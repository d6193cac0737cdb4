// Runs one command in a process of its own: `node test/helpers/command.ts consume --config F`.
import type { Command } from 'commander'
import { GatewayError } from '../../gateway/errors.ts'

const [name = '', ...rest] = process.argv.slice(2)
const exports = (await import(`../../gateway/cli/${name}.ts`)) as Record<string, () => Command>
try {
  await exports[`${name}Command`]!().exitOverride().parseAsync(rest, { from: 'user' })
} catch (error) {
  process.stderr.write(`${error instanceof GatewayError ? `weir: ${error.message}` : error}\n`)
  process.exitCode = 1
}
