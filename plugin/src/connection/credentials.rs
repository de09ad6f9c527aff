//! Who asks: credentials, and errors about them that show none.

use kube::client::AuthError;
use kube::config::AuthInfo;

/// Logs in by a token and by nothing else: beside a client certificate the API server would not
/// look at it.
pub(super) fn use_token(auth: &mut AuthInfo, token: &str) {
    auth.token = Some(token.to_owned().into());
    auth.token_file = None;
    (auth.username, auth.password) = (None, None);
    (auth.client_certificate, auth.client_certificate_data) = (None, None);
    (auth.client_key, auth.client_key_data) = (None, None);
    (auth.exec, auth.auth_provider) = (None, None);
}

/// What is wrong with a connection.
pub(super) fn client_cause(error: &kube::Error) -> String {
    match error {
        kube::Error::Auth(error) => auth_cause(error),
        other => other.to_string(),
    }
}

/// What is wrong with credentials. The client's own texts hold the environment and the output of
/// the program that hands them out.
pub(crate) fn auth_cause(error: &AuthError) -> String {
    match error {
        AuthError::AuthExecStart(error) => {
            format!("the program that hands out the user's credentials does not start: {error}")
        }
        AuthError::AuthExecRun { out, .. } => {
            let stderr = String::from_utf8_lossy(&out.stderr);
            let last = stderr.lines().rfind(|line| !line.trim().is_empty());
            let last = last.map(|line| format!(": {}", line.trim())).unwrap_or_default();
            format!("the program that hands out the user's credentials failed ({}){last}", out.status)
        }
        AuthError::AuthExecParse(_) => {
            "what the program for the user's credentials printed is no ExecCredential".to_owned()
        }
        other => other.to_string(),
    }
}
