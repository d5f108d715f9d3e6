import type {
  AccessLogFormat,
  AppServerChoice,
  BalanceMode,
  LogLevel,
  OpsEndpoint,
  WebSocketCloseCode,
} from "./config.ts";

/** What each option means once it is read. */
export interface OptionValues {
  readonly app: string;
  readonly "app-server": AppServerChoice;
  readonly "wait-ready": boolean;
  readonly "start-timeout": number;
  readonly listen: readonly string[];
  readonly socket: string;
  readonly "socket-mode": number;
  readonly "socket-group": string;
  readonly takeover: boolean;
  readonly ops: OpsEndpoint | "off";
  readonly probe: OpsEndpoint | "off";
  readonly backlog: number;
  readonly "max-connections": number;
  readonly workers: number | "auto";
  readonly "min-ready": number;
  readonly balance: BalanceMode;
  readonly "max-requests": number;
  readonly "max-lifetime": number;
  readonly "max-rss": number;
  readonly "worker-timeout": number;
  readonly "max-header-size": number;
  readonly "max-headers": number;
  readonly "max-request-line": number;
  readonly "max-body-size": number;
  readonly "max-streams": number;
  readonly "keep-alive-timeout": number;
  readonly "headers-timeout": number;
  readonly "request-timeout": number;
  readonly "drain-delay": number;
  readonly "drain-until-gone": string;
  readonly "grace-period": number;
  readonly "access-log": AccessLogFormat;
  readonly "log-level": LogLevel;
  readonly "websocket-ping-interval": number;
  readonly "websocket-close-code": WebSocketCloseCode;
  readonly "trusted-proxies": readonly string[];
  readonly config: string;
  readonly "print-config": true;
}
