// Money as integer nano-dollars, so that no sum of small prices ever drifts; numbers only where a person or JSON reads them.

const nanosPerDollar = 1_000_000_000n

/** `'0.08'` → 80000000n. Throws on more than nine decimals: such a price must be stated per more units. */
export function parseUsd(text: string): bigint {
  const [, sign, whole, fraction = ''] = /^(-?)(\d+)(?:\.(\d{1,9}))?$/.exec(text) ?? []
  if (whole === undefined) throw new Error(`"${text}" is not an amount of dollars with at most nine decimals`)
  const nanos = BigInt(whole) * nanosPerDollar + BigInt(fraction.padEnd(9, '0'))
  return sign ? -nanos : nanos
}

/** Dollars as a number: for JSON and charts, after all arithmetic. */
export function toUsd(nanos: bigint): number {
  return Number(formatDecimal(nanos))
}

/** 46656000n → `$0.05`; below a dime in four decimals, so that a cheap thing is not free. */
export function formatUsd(nanos: bigint): string {
  const decimals = nanos !== 0n && abs(nanos) < nanosPerDollar / 10n ? 4 : 2
  const text = roundTo(abs(nanos), decimals)
  const [whole, fraction] = text.split('.') as [string, string]
  return `${nanos < 0n ? '-' : ''}$${whole.replace(/\B(?=(\d{3})+$)/g, ',')}.${fraction}`
}

/** `dividend / divisor`, half away from zero. */
export function divideRounded(dividend: bigint, divisor: bigint): bigint {
  const half = divisor / 2n
  return (dividend < 0n ? dividend - half : dividend + half) / divisor
}

function roundTo(nanos: bigint, decimals: number): string {
  const text = divideRounded(nanos, 10n ** BigInt(9 - decimals))
    .toString()
    .padStart(decimals + 1, '0')
  return `${text.slice(0, -decimals)}.${text.slice(-decimals)}`
}

function formatDecimal(nanos: bigint): string {
  const digits = abs(nanos).toString().padStart(10, '0')
  return `${nanos < 0n ? '-' : ''}${digits.slice(0, -9)}.${digits.slice(-9)}`
}

const abs = (n: bigint) => (n < 0n ? -n : n)
