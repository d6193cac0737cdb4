// `weir cost`: what a fleet costs a month over each path, and where one path becomes cheaper than another.
import { createReadStream } from 'node:fs'
import { Command } from 'commander'
import { CostError } from '../errors.ts'
import { loadPriceBook } from '../price-book.ts'
import { priceLines } from './price.ts'
import { formatPrices, pricesJson } from './prices.ts'

export function costCommand(): Command {
  return new Command('cost')
    .description('What a fleet costs a month over MQTT, HTTP and WebSocket, and when the answer turns.')
    .addCommand(pricesCommand())
    .addCommand(priceCommand())
    .exitOverride((error) => process.exit(error.exitCode === 0 ? 0 : 2))
}

function pricesCommand(): Command {
  return new Command('prices')
    .description('Print the price book of a region: units, steps, tiers, allowances, sources, dates and what is not known.')
    .option('--region <region>', 'AWS region', 'us-east-1')
    .option('--json', 'as one JSON document')
    .action(
      answering(({ region, json }: { region: string; json?: boolean }) => {
        const book = loadPriceBook(region)
        return json ? toText(pricesJson(book)) : formatPrices(book)
      }),
    )
}

function priceCommand(): Command {
  return new Command('price')
    .description(
      'Price raw usage: JSON Lines of {id, inputs} on stdin or in a file, one JSON line of {id, quantities, lineItems, totalUsd} each.',
    )
    .argument('[file]', 'JSON Lines; stdin when left out')
    .option('--jsonl', 'read and write JSON Lines (the only format, so this may be left out)')
    .addHelpText(
      'after',
      `
Example:
  echo '{"id":"a","inputs":{"region":"us-east-1","devices":1000,"messagesPerDeviceDay":1440,"payloadBytes":200}}' | weir cost price --jsonl

A line that cannot be priced becomes {id, error}. Exit codes: 0 all priced, 1 a price is not known, 2 an input was wrong.`,
    )
    .action(
      answering(async (_flags: object, file?: string) => {
        process.exitCode = await priceLines(file ? createReadStream(file) : process.stdin, process.stdout, process.stderr)
      }),
    )
}

/** Prints what the action answers; a CostError becomes its one sentence and exit code. */
function answering<Flags>(action: (flags: Flags, argument?: string) => string | void | Promise<string | void>) {
  return async (...args: unknown[]): Promise<void> => {
    const [argument, flags] = args.length > 2 ? [args[0] as string | undefined, args[1]] : [undefined, args[0]]
    try {
      const answer = await action(flags as Flags, argument)
      if (answer) process.stdout.write(`${answer}\n`)
    } catch (error) {
      if (!(error instanceof CostError)) throw error
      process.stderr.write(`${error.message}\n`)
      process.exitCode = error.exitCode
    }
  }
}

const toText = (value: unknown) => JSON.stringify(value)
