"""relcap_models"""
