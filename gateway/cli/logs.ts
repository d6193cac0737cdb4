// `weir logs`: the gateway's log, filtered and readable, from a file or a pipe.
import { once } from 'node:events'
import { createReadStream } from 'node:fs'
import { stat } from 'node:fs/promises'
import { createInterface } from 'node:readline'
import { Command, Option } from 'commander'
import { systemClock } from '../../lib/clock.ts'
import { printableText } from '../../lib/printable.ts'
import { GatewayError } from '../errors.ts'
import { createPretty } from './pretty.ts'

const examples = `
Examples:
  $ weir logs                                  the log of \`weir up\`, .weir/weir.log
  $ weir logs --follow --level warn            only what somebody should look at, as it happens
  $ weir logs gateway.log --tenant acme --json
  $ weir gateway | weir logs - --event action.failed
                                               the gateway alone writes its log to stdout`

const levels = ['debug', 'info', 'warn', 'error'] as const

interface Flags {
  readonly follow?: true
  readonly level: (typeof levels)[number]
  readonly event?: string
  readonly tenant?: string
  readonly device?: string
  readonly json?: true
}

export function logsCommand(): Command {
  return new Command('logs')
    .description('read the gateway log, filtered')
    .argument('[file]', 'a file of JSON lines, - for standard input (default: .weir/weir.log, or else a pipe)')
    .option('-f, --follow', 'wait for more')
    .addOption(new Option('--level <level>', 'this level and the more important ones').choices(levels).default('debug'))
    .option('--event <name>', 'only this event, or all that start with it: action, action.failed')
    .option('--tenant <tenant>', 'only this tenant')
    .option('--device <clientId>', 'only this device')
    .option('--json', 'the matching lines as they are')
    .addHelpText('after', examples)
    .action(run)
}

async function run(file: string | undefined, flags: Flags): Promise<void> {
  const piped = file === '-' || (file === undefined && !process.stdin.isTTY && !(await exists('.weir/weir.log')))
  const lines = piped ? createInterface({ input: process.stdin }) : fileLines(file ?? '.weir/weir.log', flags.follow ?? false)
  const pretty = createPretty({ colour: process.stdout.isTTY ?? false })
  const matches = createFilter(flags)
  for await (const line of lines) {
    if (line === '' || !matches(line)) continue
    const written = process.stdout.write(flags.json ? `${printableText(line)}\n` : pretty(line))
    if (!written) await once(process.stdout, 'drain')
  }
}

/** Lines that are no JSON are kept unless a filter asks for a field. */
export function createFilter({ level, event, tenant, device }: Flags): (line: string) => boolean {
  const atLeast = levels.indexOf(level)
  const filtered = event !== undefined || tenant !== undefined || device !== undefined || atLeast > 0
  return (line) => {
    const entry = parse(line)
    if (!entry) return !filtered
    return (
      levels.indexOf(entry.level as (typeof levels)[number]) >= atLeast &&
      (event === undefined || entry.event === event || String(entry.event).startsWith(`${event}.`)) &&
      (tenant === undefined || entry.tenant === tenant) &&
      (device === undefined || entry.clientId === device)
    )
  }
}

function parse(line: string): Readonly<Record<string, unknown>> | undefined {
  try {
    const value: unknown = JSON.parse(line)
    return typeof value === 'object' && value !== null ? (value as Readonly<Record<string, unknown>>) : undefined
  } catch {
    return undefined
  }
}

async function* fileLines(path: string, follow: boolean): AsyncGenerator<string> {
  if (!(await exists(path))) throw new GatewayError('CONFIG_INVALID', `${path} does not exist; start \`weir up\`, or name a log file`)
  if ((await stat(path)).isDirectory()) throw new GatewayError('CONFIG_INVALID', `${path} is a directory; name a file of JSON lines`)
  let offset = 0
  let rest = ''
  do {
    // Between the removal of a log and its successor there is no file to follow.
    const { size } = await stat(path).catch((error) => {
      if (!follow) throw error
      return { size: 0 }
    })
    // A shorter file than before was started anew.
    if (size < offset) [offset, rest] = [0, '']
    if (size > offset) {
      for await (const chunk of createReadStream(path, { start: offset, end: size - 1, encoding: 'utf8' })) {
        const lines = (rest + chunk).split('\n')
        rest = lines.pop()!
        yield* lines
      }
      offset = size
    }
    if (follow) await systemClock.sleep(200)
  } while (follow)
  if (rest !== '') yield rest
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  )
}
