// How a run can go wrong before it has figures to show, and the exit code each way deserves.

/** The message is one sentence for the person at the terminal. `exitCode`: 1 the run failed, 2 the input was wrong. */
export class FleetError extends Error {
  override readonly name = 'FleetError'
  readonly exitCode: 1 | 2

  constructor(message: string, exitCode: 1 | 2 = 1, options?: ErrorOptions) {
    super(message, options)
    this.exitCode = exitCode
  }
}
