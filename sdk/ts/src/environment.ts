/** What Muster tells the services it starts, by environment variables. */
export interface Environment {
  /** Where the runtime is: `http://HOST:PORT` or `unix:PATH`. Undefined: there is none. */
  address?: string;
  /** Sent as `authorization: Bearer …`. */
  token?: string;
  /** The service's name. */
  service?: string;
  /** The orchestrator's name for this process. */
  instance?: string;
}

/** Reads `MUSTER_ADDRESS`, `MUSTER_TOKEN`, `MUSTER_SERVICE` and `MUSTER_INSTANCE`. */
export function readEnvironment(env: NodeJS.ProcessEnv = process.env): Environment {
  return {
    address: env.MUSTER_ADDRESS || undefined,
    token: env.MUSTER_TOKEN || undefined,
    service: env.MUSTER_SERVICE || undefined,
    instance: env.MUSTER_INSTANCE || undefined,
  };
}
